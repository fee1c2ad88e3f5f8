//! Reads inside values that are known to be valid JSON.

use std::borrow::Cow;

use super::scan::{self, Key, skip_value, skip_white_space};
use crate::value::Value;

/// The values of a valid JSON array, in order.
pub(crate) fn elements(array: &str) -> impl Iterator<Item = Value<'_>> {
    Inside { text: array, at: 1 }.map(Value::of_valid_json)
}

struct Inside<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Inside<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let start = skip_white_space(bytes, self.at);
        let end = skip_value(bytes, start, 0).ok()?;
        // Past the `,` or, after which nothing follows, the `]`.
        self.at = skip_white_space(bytes, end) + 1;
        Some(&self.text[start..end])
    }
}

/// The names and values of a valid JSON object, in order.
pub(crate) fn members(object: &str) -> impl Iterator<Item = (Cow<'_, str>, Value<'_>)> {
    let bytes = object.as_bytes();
    let mut at = 1;
    std::iter::from_fn(move || {
        let start = skip_white_space(bytes, at);
        let (Key { raw, escaped }, value) = scan::key(bytes, start).ok()?;
        let end = skip_value(bytes, value, 0).ok()?;
        at = skip_white_space(bytes, end) + 1;
        let raw = &object[start + 1..start + 1 + raw.len()];
        let mut name = String::new();
        let is_unescaped = escaped && unescape_into(raw, &mut name).is_some();
        let name = if is_unescaped { Cow::Owned(name) } else { Cow::Borrowed(raw) };
        Some((name, Value::of_valid_json(&object[value..end])))
    })
}

/// Appends the text that a valid JSON string's inside stands for; nothing if it holds half of a
/// surrogate pair, which no UTF-8 text can hold.
pub(crate) fn unescape_into(raw: &str, out: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1)?;
        rest = &rest[at + 2..];
        out.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut unit = hex_unit(rest)?;
                rest = &rest[4..];
                if (0xd800..0xdc00).contains(&unit) {
                    let low = hex_unit(rest.strip_prefix("\\u")?)?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return None;
                    }
                    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    rest = &rest[6..];
                }
                char::from_u32(unit)?
            }
            other => char::from(*other),
        });
    }
    out.push_str(rest);
    Some(())
}

fn hex_unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(raw: &str) -> Option<String> {
        let mut out = String::new();
        unescape_into(raw, &mut out).map(|()| out)
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        assert_eq!(
            unescaped(r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z"#).unwrap(),
            "a\"\\/\u{8}\u{c}\n\r\té😀z"
        );
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        for raw in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\u0041", r"\ud83d\ud83d"] {
            assert_eq!(unescaped(raw), None, "{raw}");
        }
    }

    #[test]
    fn members_and_elements_come_in_order() {
        let names: Vec<_> = members(r#"{ "a" : 1 , "b\u0062":[2, {"x":3}] }"#).collect();
        assert_eq!(names[0], ("a".into(), Value::Number("1")));
        assert_eq!(names[1], ("bb".into(), Value::Array(r#"[2, {"x":3}]"#)));
        assert_eq!(elements("[ ]").count(), 0);
        let values: Vec<_> = elements(r#"[1,null , "x"]"#).collect();
        assert_eq!(values[..2], [Value::Number("1"), Value::Missing]);
        assert_eq!(values.len(), 3);
    }
}
