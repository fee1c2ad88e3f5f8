//! Partition columns: what a file's folders say, as crawlers read them.

/// Hive writes a null partition value so.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The folders of a path relative to the source's own folder.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').filter(|folder| !folder.is_empty())
}

fn hive(folder: &str) -> Option<(&str, &str)> {
    folder.split_once('=').filter(|(key, _)| !key.is_empty())
}

/// The values of partition keys for a file at `path`, relative to the source's folder.
///
/// A key `partition_N` takes the name of the folder at depth N, counted from zero; any other key
/// takes the value of the folder `key=value`, with Hive's percent escapes undone.
pub fn partition_values(keys: &[String], path: &str) -> Vec<Option<String>> {
    let value = |key: &String| {
        let named = folders(path).filter_map(hive).find(|(name, _)| name.eq_ignore_ascii_case(key));
        if let Some((_, value)) = named {
            return (value != HIVE_NULL).then(|| unescape(value));
        }
        let depth = key.strip_prefix("partition_")?.parse().ok()?;
        let folder = folders(path).nth(depth)?;
        hive(folder).is_none().then(|| folder.to_owned())
    };
    keys.iter().map(value).collect()
}

/// The partition keys that a crawler would record for files at these paths, relative to the
/// source's folder, outermost first.
pub fn partition_keys<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut keys: Vec<Option<String>> = Vec::new();
    for path in paths {
        for (depth, folder) in folders(path).enumerate() {
            let key = hive(folder).map(|(key, _)| key.to_ascii_lowercase());
            match keys.get_mut(depth) {
                None => keys.push(key),
                // Folders that disagree are told apart by depth alone.
                Some(known) if *known != key => *known = None,
                Some(_) => {}
            }
        }
    }
    let named =
        |(depth, key): (usize, Option<String>)| key.unwrap_or_else(|| format!("partition_{depth}"));
    keys.into_iter().enumerate().map(named).collect()
}

fn unescape(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code.filter(|_| *first == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(keys: &[&str], path: &str) -> Vec<Option<String>> {
        partition_values(&keys.iter().map(ToString::to_string).collect::<Vec<_>>(), path)
    }

    #[test]
    fn hive_folders_give_named_keys() {
        assert_eq!(
            partition_keys(["year=2024/month=01/a", "year=2023/month=12/b"]),
            ["year", "month"]
        );
        let found = values(&["year", "City"], "year=2024/city=K%C3%B6ln%2F1/a=b.json");
        assert_eq!(found, [Some("2024".into()), Some("Köln/1".into())]);
        assert_eq!(values(&["year"], "year=__HIVE_DEFAULT_PARTITION__/x"), [None]);
    }

    #[test]
    fn plain_folders_give_numbered_keys() {
        assert_eq!(
            partition_keys(["2024/01/31/07/a"]),
            ["partition_0", "partition_1", "partition_2", "partition_3"]
        );
        assert_eq!(
            values(&["partition_0", "partition_3"], "2024/01/31/07/a"),
            [Some("2024".into()), Some("07".into())]
        );
        assert_eq!(values(&["partition_1"], "2024/a"), [None]);
        assert_eq!(partition_keys(["a.json"]), Vec::<String>::new());
    }
}
