//! Recognises delimited text: its delimiter, and whether its first row is a header.

use crate::convert::Decimal;
use std::borrow::Cow;

use crate::csv::{Rows, column_names, position_name};
use crate::frame::Frame;

/// Delimiters that are tried: comma, tab, pipe, semicolon and Hive's Ctrl-A.
const DELIMITERS: [u8; 5] = [b',', b'\t', b'|', b';', 0x01];
/// Rows that are looked at.
const ROWS: usize = 200;

/// A dialect that was recognised, and the column names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) header: bool,
    /// The header's names, or `col0`, `col1` and so on as a crawler calls them.
    pub(crate) columns: Vec<String>,
}

/// The dialect of a file that begins with `head`; none if it is no delimited text. `whole` says
/// that nothing follows; a first row that names an expected column is a header.
pub(crate) fn recognise(head: &[u8], whole: bool, expected: &[String]) -> Option<Dialect> {
    let candidates = DELIMITERS.iter().filter_map(|delimiter| {
        let rows = rows(head, *delimiter, whole);
        let columns = rows.first()?.len();
        let alike = rows.iter().filter(|row| row.len() == columns).count();
        let share = alike as f64 / rows.len() as f64;
        (columns > 1 && share > 0.5).then_some((share, columns, *delimiter, rows))
    });
    let best = candidates.max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (_, count, delimiter, rows) = best?;
    let named =
        |name: &String| expected.iter().any(|known| known.eq_ignore_ascii_case(name.trim()));
    let header = rows[0].iter().any(named) || has_header(&rows);
    let columns =
        if header { column_names(&rows[0]) } else { (0..count).map(position_name).collect() };
    Some(Dialect { delimiter, header, columns })
}

fn rows(head: &[u8], delimiter: u8, whole: bool) -> Vec<Vec<String>> {
    let mut framer = Rows::new(delimiter, b'"');
    let mut found = Vec::new();
    let mut at = 0;
    while found.len() < ROWS {
        match framer.next(head, at, whole) {
            Frame::Record(range) => {
                at = range.end;
                let text = String::from_utf8_lossy(&head[range.clone()]);
                // Replaced bytes would move the cells.
                if text.len() == range.len() {
                    found.push(
                        framer.row(&text, range.start).texts().map(Cow::into_owned).collect(),
                    );
                }
            }
            Frame::Fault(range, _) => at = range.end.max(at + 1),
            Frame::More(_) | Frame::Done => break,
        }
    }
    found
}

/// Whether the first row names columns: all its cells are different words, and either some column
/// below holds nothing but numbers, times or truth values, or a cell is written as names are in
/// code (`user_id`, `userId`) and does not occur below.
fn has_header(rows: &[Vec<String>]) -> bool {
    let Some((first, rest)) = rows.split_first() else {
        return false;
    };
    let lower: std::collections::BTreeSet<String> =
        first.iter().map(|name| name.trim().to_lowercase()).collect();
    if lower.len() != first.len() || first.iter().any(|name| !is_word(name) || is_typed(name)) {
        return false;
    }
    if rest.is_empty() {
        return first.iter().any(|name| is_code_name(name));
    }
    let column = |at: usize| {
        rest.iter().filter_map(move |row| row.get(at)).filter(|cell| !cell.trim().is_empty())
    };
    (0..first.len()).any(|at| {
        let typed = column(at).count() > 0 && column(at).all(|cell| is_typed(cell));
        typed || is_code_name(&first[at]) && column(at).all(|cell| *cell != first[at])
    })
}

fn is_word(name: &str) -> bool {
    let name = name.trim();
    !name.is_empty() && name.chars().count() <= 128 && name.chars().any(char::is_alphabetic)
}

/// Whether the cell is a number, a truth value or begins as a date does.
fn is_typed(cell: &str) -> bool {
    let cell = cell.trim();
    let date = cell.as_bytes();
    let is_date = date.len() >= 10
        && date[..4].iter().all(u8::is_ascii_digit)
        && date[4] == b'-'
        && date[7] == b'-';
    is_date
        || Decimal::parse(cell).is_some()
        || cell.eq_ignore_ascii_case("true")
        || cell.eq_ignore_ascii_case("false")
}

fn is_code_name(name: &str) -> bool {
    let name = name.trim();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    let bytes = name.as_bytes();
    let camel = bytes.windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase());
    let is_id = name.len() >= 2 && bytes[name.len() - 2..].eq_ignore_ascii_case(b"id");
    plain && (name.contains('_') || camel || is_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(char, bool, String)> {
        let dialect = recognise(text.as_bytes(), true, &["City".into()])?;
        Some((dialect.delimiter as char, dialect.header, dialect.columns.join(" ")))
    }

    #[test]
    fn every_delimiter_is_recognised() {
        for delimiter in [',', '\t', '|', ';', '\u{1}'] {
            let text =
                format!("user_id{delimiter}ts\nu1{delimiter}5\n\"u{delimiter}2\"{delimiter}6\n");
            assert_eq!(found(&text), Some((delimiter, true, "user_id ts".into())));
        }
        assert_eq!(found("just some words\nin lines\n"), None);
    }

    #[test]
    fn a_header_is_told_from_rows() {
        assert_eq!(found("u1,2019-01-01\nu2,2019-01-02\n"), Some((',', false, "col0 col1".into())));
        assert_eq!(found("name,when\nu1,2019-01-01\n"), Some((',', true, "name when".into())));
        assert_eq!(found("alice,view\nbob,click\n"), Some((',', false, "col0 col1".into())));
        assert_eq!(found("userId,genre\nbob,Drama\n"), Some((',', true, "userId genre".into())));
        let expected = Some((',', true, "col0 city name city2".into()));
        assert_eq!(found(",city,name,city2\n0,x,y,z\n"), expected);
        assert_eq!(found("a,a\n1,2\n"), Some((',', false, "col0 col1".into())));
    }
}
