//! "Did you mean": the name nearest to what was asked for.

/// The candidate most like `asked`, ignoring case and separators, if any is near enough.
pub(crate) fn nearest<'a>(
    asked: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let asked = folded(asked);
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&asked, &folded(candidate)), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Lower case without `_`, `-` and spaces: `user_id` and `userId` are the same word.
pub(crate) fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}
