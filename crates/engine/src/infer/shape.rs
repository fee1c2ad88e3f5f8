//! What types the values of a place have, gathered record by record.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use personalize_plan::glue::{ColumnType, StructField};
use personalize_plan::{ColumnProfile, SourcePath, TimestampFormat};

use crate::convert::{Decimal, epoch_seconds};
use crate::json;
use crate::value::Value;

/// Members that are told apart in one object; data with more uses keys as values.
const MAX_MEMBERS: usize = 1000;
/// Members in a row that a name is compared with before it is looked up.
const MEMBERS_LEFT_OUT: usize = 8;
/// Different texts that are counted.
const MAX_DISTINCT: usize = 50;
/// Times between these seconds are believed when they are numbers: 1980 to 2100.
const PLAUSIBLE: std::ops::Range<i64> = 315_532_800..4_102_444_800;

/// The values seen at one place of the records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    booleans: u64,
    ints: u64,
    longs: u64,
    /// Fractions, and whole numbers beyond 64 bits
    doubles: u64,
    strings: u64,
    objects: u64,
    arrays: u64,
    /// Of the values above, those that are times
    times: u64,
    /// Of the strings, those that hold a number
    numeric_strings: u64,
    distinct: BTreeSet<String>,
    members: Vec<(String, Shape)>,
    member_at: BTreeMap<String, usize>,
    /// The member behind the one met last: most records have theirs in the same order
    expected: usize,
    element: Option<Box<Shape>>,
}

/// A place whose values are of several types, and what was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The place.
    pub path: String,
    /// The types and how many values have them, as in `int (3), string (1)`.
    pub found: String,
    /// The type it was resolved to.
    pub resolved: String,
}

impl Shape {
    /// Takes in the members of a JSON object. `untyped` says that its strings may be numbers and
    /// truth values.
    pub(crate) fn observe_object(&mut self, object: &str, untyped: bool) {
        let mut cursor = json::Cursor::new(object);
        if cursor.enters_object() {
            self.observe_members(&mut cursor, untyped);
        }
    }

    fn observe_members(&mut self, cursor: &mut json::Cursor<'_>, untyped: bool) {
        self.objects += 1;
        self.expected = 0;
        while let Some(name) = cursor.next_member() {
            match self.member(&name) {
                Some(member) => member.observe(cursor, untyped),
                None => _ = cursor.value(),
            }
        }
    }

    /// Takes in the JSON value that the cursor stands at.
    fn observe(&mut self, cursor: &mut json::Cursor<'_>, untyped: bool) {
        if cursor.enters_object() {
            self.observe_members(cursor, untyped);
        } else if cursor.enters_array() {
            self.arrays += 1;
            let element = self.element.get_or_insert_default();
            while cursor.next_element() {
                element.observe(cursor, untyped);
            }
        } else {
            self.observe_scalar(cursor.value(), untyped);
        }
    }

    fn observe_scalar(&mut self, value: Value<'_>, untyped: bool) {
        match value {
            Value::Bool(_) => self.booleans += 1,
            Value::Number(text) => self.observe_number(text),
            Value::Text(text) => {
                if let Ok(text) = text.into_decoded() {
                    if untyped {
                        self.observe_cell(&text);
                    } else {
                        self.observe_text(&text);
                    }
                }
            }
            _ => {}
        }
    }

    fn observe_number(&mut self, text: &str) {
        self.times += u64::from(is_time(text));
        match text.parse::<i64>() {
            Ok(number) if i32::try_from(number).is_ok() => self.ints += 1,
            Ok(_) => self.longs += 1,
            Err(_) => self.doubles += 1,
        }
    }

    fn observe_text(&mut self, text: &str) {
        self.strings += 1;
        // Neither a time nor a number begins with a letter.
        if !text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) {
            let text = trim(text);
            let is_number = is_number(text);
            self.numeric_strings += u64::from(is_number);
            self.times += u64::from((is_number || may_be_iso_8601(text)) && is_time(text));
        }
        if self.distinct.len() <= MAX_DISTINCT && text.len() <= 256 && !self.distinct.contains(text)
        {
            self.distinct.insert(text.to_owned());
        }
    }

    /// Takes in the cells of a CSV row.
    pub(crate) fn observe_row<'a>(&mut self, cells: impl Iterator<Item = (&'a str, Cow<'a, str>)>) {
        self.objects += 1;
        self.expected = 0;
        for (name, text) in cells {
            if let Some(member) = self.member(name).filter(|_| !text.is_empty()) {
                member.observe_cell(&text);
            }
        }
    }

    /// Takes in a text that may be a number or a truth value.
    fn observe_cell(&mut self, text: &str) {
        if is_plain_number(text) {
            return self.observe_number(text);
        }
        match trim(text) {
            cell if cell.eq_ignore_ascii_case("true") || cell.eq_ignore_ascii_case("false") => {
                self.booleans += 1;
            }
            // Digits behind a leading zero are a code, not a number.
            cell if has_leading_zero(cell) => self.observe_text(cell),
            cell if is_number(cell) => self.observe_number(cell),
            _ => self.observe_text(text),
        }
    }

    /// The member of that name, ignoring case; none where there are too many.
    #[inline(always)]
    pub(crate) fn member(&mut self, name: &str) -> Option<&mut Shape> {
        let at = match self.members.get(self.expected) {
            Some((expected, _)) if expected == name => self.expected,
            _ => self.find_member(name)?,
        };
        self.expected = at + 1;
        self.members.get_mut(at).map(|(_, shape)| shape)
    }

    #[inline(never)]
    fn find_member(&mut self, name: &str) -> Option<usize> {
        // Most often it comes soon, since others were left out.
        let soon = self.members.iter().skip(self.expected).take(MEMBERS_LEFT_OUT);
        if let Some(left_out) = soon.map(|(known, _)| known).position(|known| known == name) {
            return Some(self.expected + left_out);
        }
        let lower = name.to_lowercase();
        match self.member_at.get(&lower) {
            Some(at) => Some(*at),
            None if self.members.len() >= MAX_MEMBERS => None,
            None => {
                self.members.push((name.to_owned(), Shape::default()));
                self.member_at.insert(lower, self.members.len() - 1);
                Some(self.members.len() - 1)
            }
        }
    }

    /// The members in the order they were met.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Shape)> {
        self.members.iter().map(|(name, shape)| (name.as_str(), shape))
    }

    /// How many values were seen that are not null.
    fn values(&self) -> u64 {
        self.scalars() + self.objects + self.arrays
    }

    fn scalars(&self) -> u64 {
        self.booleans + self.ints + self.longs + self.doubles + self.strings
    }

    /// The one type for the values. `csv` says that whole numbers are `bigint`, as crawlers call
    /// them in delimited text.
    ///
    /// Of objects, arrays and single values the most frequent win; where they are even, those that
    /// paths can lead into.
    pub(crate) fn column_type(&self, csv: bool) -> ColumnType {
        let most = self.scalars().max(self.objects).max(self.arrays);
        if most > 0 && self.objects == most {
            let field = |(name, shape): (&str, &Self)| StructField {
                name: name.to_owned(),
                column_type: shape.column_type(csv),
            };
            return ColumnType::Struct(self.members().map(field).collect());
        }
        if most > 0 && self.arrays == most {
            let element = self.element.as_ref().map(|element| element.column_type(csv));
            return ColumnType::Array(Box::new(element.unwrap_or(ColumnType::String)));
        }
        let numbers = self.ints + self.longs + self.doubles;
        match (self.booleans, numbers, self.strings) {
            (1.., 0, 0) => ColumnType::Boolean,
            (0, 1.., 0) if self.doubles > 0 => ColumnType::Double,
            (0, 1.., 0) if self.longs > 0 || csv => ColumnType::BigInt,
            (0, 1.., 0) => ColumnType::Int,
            _ => ColumnType::String,
        }
    }

    /// Appends the places below `path` whose values are of several types.
    pub(crate) fn conflicts(&self, path: &str, csv: bool, out: &mut Vec<Conflict>) {
        let numbers = self.ints + self.longs;
        let kinds = [
            ("boolean", self.booleans),
            ("whole number", numbers),
            ("fraction", self.doubles),
            ("string", self.strings),
            ("struct", self.objects),
            ("array", self.arrays),
        ];
        let found: Vec<String> = kinds
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| format!("{kind} ({count})"))
            .collect();
        if found.len() > 1 && !path.is_empty() {
            let resolved = match self.column_type(csv) {
                ColumnType::Struct(_) => "struct".to_owned(),
                ColumnType::Array(_) => "array".to_owned(),
                other => other.to_string(),
            };
            out.push(Conflict { path: path.to_owned(), found: found.join(", "), resolved });
        }
        for (name, shape) in self.members() {
            let dot = if path.is_empty() { "" } else { "." };
            shape.conflicts(&format!("{path}{dot}{name}"), csv, out);
        }
        if let Some(element) = &self.element {
            element.conflicts(&format!("{path}[]"), csv, out);
        }
    }

    /// Appends the profile of every single value below `path`; `share` is the share of records
    /// that have what is around it.
    pub(crate) fn profiles(&self, path: &str, share: f64, out: &mut Vec<ColumnProfile>) {
        let around = self.objects.max(1) as f64;
        for (name, shape) in self.members() {
            let dot = if path.is_empty() { "" } else { "." };
            let written = SourcePath::column(name).to_string();
            let path = format!("{path}{dot}{written}");
            let share = share * shape.values() as f64 / around;
            shape.profile(&path, share, out);
        }
    }

    fn profile(&self, path: &str, share: f64, out: &mut Vec<ColumnProfile>) {
        match self.column_type(false) {
            ColumnType::Struct(_) => self.profiles(path, share, out),
            ColumnType::Array(_) => {
                // A path explodes one array at most.
                let outer = !path.contains("[]");
                if let Some(element) = self.element.as_ref().filter(|_| outer) {
                    element.profile(&format!("{path}[]"), share, out);
                }
            }
            _ => {
                let Ok(path) = path.parse() else { return };
                let values = self.scalars().max(1) as f64;
                let numbers = self.ints + self.longs + self.doubles + self.numeric_strings;
                let distinct = self.distinct.len();
                out.push(ColumnProfile {
                    path,
                    presence: share.min(1.0),
                    times: self.times as f64 / values,
                    numbers: numbers as f64 / values,
                    distinct: (1..=MAX_DISTINCT).contains(&distinct).then_some(distinct),
                });
            }
        }
    }
}

/// As `str::trim`; most texts have nothing to trim, which their ASCII tells fast.
fn trim(text: &str) -> &str {
    let is_graphic = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    let bytes = text.as_bytes();
    if is_graphic(bytes.first()) && is_graphic(bytes.last()) { text } else { text.trim() }
}

fn is_number(text: &str) -> bool {
    // Most other texts end otherwise, have another character soon, or a second point as addresses
    // and versions do.
    let mut points = 0;
    let may_be = |byte| {
        points += usize::from(byte == b'.');
        matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E') && points < 2
    };
    matches!(text.as_bytes().last(), Some(b'0'..=b'9' | b'.'))
        && text.bytes().all(may_be)
        && (is_plain_number(text) || Decimal::parse(text).is_some())
}

/// Whether it has the dash behind the year, or where there is none the `T` behind the date.
fn may_be_iso_8601(text: &str) -> bool {
    let byte = |at| text.as_bytes().get(at);
    byte(4) == Some(&b'-') || matches!(byte(8), Some(b'T' | b't'))
}

fn has_leading_zero(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    matches!(digits, [b'0', b'0'..=b'9', ..])
}

/// Whether the text, without white space around it, is a time.
fn is_time(text: &str) -> bool {
    // Most numbers are too small; digits that are a date are no time that is read.
    if text.len() < 9 && is_plain_number(text) {
        return false;
    }
    text.as_bytes().first().is_some_and(u8::is_ascii_digit)
        && epoch_seconds(text, &TimestampFormat::Auto)
            .is_ok_and(|seconds| PLAUSIBLE.contains(&seconds))
}

/// Whether the text is digits alone, the first of them none that a code begins with.
fn is_plain_number(text: &str) -> bool {
    text.as_bytes().first().is_some_and(|first| *first != b'0')
        && text.bytes().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(objects: &[&str]) -> Shape {
        let mut shape = Shape::default();
        objects.iter().for_each(|object| shape.observe_object(object, false));
        shape
    }

    #[test]
    fn types_are_those_that_a_crawler_writes() {
        let shape = shape(&[
            r#"{"id": 35, "big": 3000000000, "price": 1, "ok": true, "p": {"sku": "a", "n": null}}"#,
            r#"{"ID": 36, "price": 1.5, "p": {"SKU": "b", "tags": ["x", "y"], "list": [{"q": 1}]}}"#,
        ]);
        assert_eq!(
            shape.column_type(false).to_string(),
            "struct<id:int,big:bigint,price:double,ok:boolean,p:struct<sku:string,n:string,\
             tags:array<string>,list:array<struct<q:int>>>>"
        );
    }

    #[test]
    fn conflicts_are_resolved_and_told() {
        let shape = shape(&[
            r#"{"a": 1, "p": {"x": 1}, "l": [1]}"#,
            r#"{"a": "one", "p": "none", "l": 2}"#,
            r#"{"a": null, "p": {"x": 2}}"#,
        ]);
        assert_eq!(
            shape.column_type(false).to_string(),
            "struct<a:string,p:struct<x:int>,l:array<int>>"
        );
        let mut conflicts = Vec::new();
        shape.conflicts("", false, &mut conflicts);
        let told: Vec<_> = conflicts
            .iter()
            .map(|c| format!("{}: {} -> {}", c.path, c.found, c.resolved))
            .collect();
        assert_eq!(
            told,
            [
                "a: whole number (1), string (1) -> string",
                "p: string (1), struct (2) -> struct",
                "l: whole number (1), array (1) -> array",
            ]
        );
    }

    #[test]
    fn a_rare_object_does_not_hide_what_a_column_mostly_is() {
        let shape = shape(&[r#"{"sku": "a"}"#, r#"{"sku": "b"}"#, r#"{"sku": {"id": "c"}}"#]);
        assert_eq!(shape.column_type(false).to_string(), "struct<sku:string>");
    }

    #[test]
    fn profiles_say_how_often_and_what() {
        let shape = shape(&[
            r#"{"ts": "2019-01-10T22:34:04Z", "p": {"items": [{"sku": "1"}]}}"#,
            r#"{"ts": 1547159644, "p": {}}"#,
        ]);
        let mut profiles = Vec::new();
        shape.profiles("", 1.0, &mut profiles);
        assert_eq!(profiles[0].path.to_string(), "ts");
        assert_eq!((profiles[0].presence, profiles[0].times), (1.0, 1.0));
        assert_eq!(profiles[1].path.to_string(), "p.items[].sku");
        assert_eq!((profiles[1].presence, profiles[1].numbers), (0.5, 1.0));
    }

    #[test]
    fn members_beyond_the_most_are_passed_over_as_wholes() {
        let many: String = (0..MAX_MEMBERS).map(|n| format!("\"m{n}\": {n}, ")).collect();
        let mut shape = shape(&[&format!(r#"{{{many}"x": {{"y": ["}}"]}}, "M0": "late"}}"#)]);
        assert_eq!(shape.members().count(), MAX_MEMBERS);
        let first = shape.member("m0").unwrap();
        assert_eq!((first.ints, first.strings), (1, 1));
    }

    #[test]
    fn nulls_and_texts_with_half_a_surrogate_pair_are_no_values() {
        let mut shape = shape(&[r#"{"a": null, "b": "\ud83d", "\ude00": "c", "d": "\u0031"}"#]);
        let names: Vec<_> = shape.members().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["a", "b", r"\ude00", "d"]);
        let values = names.iter().map(|name| shape.member(name).unwrap().values());
        assert_eq!(values.collect::<Vec<_>>(), [0, 0, 1, 1]);
        assert_eq!(shape.member("d").unwrap().numeric_strings, 1);
    }

    proptest! {
        #[test]
        fn texts_are_numbers_and_times_as_the_readers_of_those_say(
            text in prop_oneof![
                "[ \u{a0}x]?[-+]?[0-9]{0,13}([.eE][-+]?[0-9]{0,3}){0,3}[ \u{85}Z]?",
                "[ \u{a0}]?(19|20)[0-9]{2}-?[01][0-9]-?[0-3][0-9]\
                 ([Tt ][0-2][0-9](:?[0-5][0-9]){1,2}(\\.[0-9]{0,3}){0,2}Z?)?[ \u{85}]?",
            ]
        ) {
            let mut shape = Shape::default();
            shape.observe_text(&text);
            let trimmed = text.trim();
            let is_time = trimmed.starts_with(|c: char| c.is_ascii_digit())
                && epoch_seconds(trimmed, &TimestampFormat::Auto)
                    .is_ok_and(|seconds| PLAUSIBLE.contains(&seconds));
            let is_number = Decimal::parse(trimmed).is_some();
            prop_assert_eq!(shape.times, u64::from(is_time));
            prop_assert_eq!(shape.numeric_strings, u64::from(is_number));
        }
    }
}
