//! Reads inside values that are known to be valid JSON.

use std::borrow::Cow;

use super::scan::{skip_value, skip_white_space};
use super::strings::string;
use crate::value::{Escapes, Text, Value};

/// Goes over a text that is known to be valid JSON, once and in order.
///
/// Of any other text it makes nothing sensible, but it comes to an end.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Stands at the value that the text is.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Steps before the members of the object that begins here, if one does.
    pub(crate) fn enters_object(&mut self) -> bool {
        self.takes(b'{')
    }

    /// Steps before the elements of the array that begins here, if one does.
    pub(crate) fn enters_array(&mut self) -> bool {
        self.takes(b'[')
    }

    /// The name of the object's next member, whose value has to be gone over then; behind the last
    /// one steps out of the object. A name with half of a surrogate pair is left as it stands.
    #[inline(always)]
    pub(crate) fn next_member(&mut self) -> Option<Cow<'a, str>> {
        if !self.has_next(b'}') {
            return None;
        }
        let name = self.string();
        self.skip_white_space();
        self.takes(b':');
        self.skip_white_space();
        let (raw, text) = name?;
        Some(text.into_decoded().unwrap_or(Cow::Borrowed(raw)))
    }

    /// Whether the array has another element, which has to be gone over then; behind the last one
    /// steps out of the array.
    pub(crate) fn next_element(&mut self) -> bool {
        self.has_next(b']')
    }

    /// The value that begins here, which is gone over as a whole.
    #[inline(always)]
    pub(crate) fn value(&mut self) -> Value<'a> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let first = bytes.get(start);
        if first == Some(&b'"') {
            return self.string().map_or(Value::Missing, |(_, text)| Value::Text(text));
        }
        self.at = skip_value(bytes, start, 0).unwrap_or(bytes.len());
        let text = &self.text[start..self.at];
        match first {
            Some(b'{') => Value::Object(text),
            Some(b'[') => Value::Array(text),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') | None => Value::Missing,
            Some(_) => Value::Number(text),
        }
    }

    /// The string that begins here, as it stands and as text.
    #[inline(always)]
    fn string(&mut self) -> Option<(&'a str, Text<'a>)> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let found = if self.takes(b'"') { string(bytes, start).ok() } else { None };
        self.at = found.map_or(bytes.len(), |(end, _)| end + 1);
        let (end, escaped) = found?;
        let raw = &self.text[start..end];
        Some((raw, Text::new(raw, if escaped { Escapes::Json } else { Escapes::None })))
    }

    /// Steps to what comes next before the byte that closes, or else behind that.
    #[inline(always)]
    fn has_next(&mut self, closing: u8) -> bool {
        self.skip_white_space();
        if self.takes(b',') {
            self.skip_white_space();
        }
        !self.takes(closing) && self.at < self.text.len()
    }

    #[inline(always)]
    fn takes(&mut self, expected: u8) -> bool {
        let found = self.text.as_bytes().get(self.at) == Some(&expected);
        self.at += usize::from(found);
        found
    }

    #[inline(always)]
    fn skip_white_space(&mut self) {
        self.at = skip_white_space(self.text.as_bytes(), self.at);
    }
}

/// The values of a valid JSON array, in order.
pub(crate) fn elements(array: &str) -> impl Iterator<Item = Value<'_>> {
    let mut cursor = Cursor::new(array);
    cursor.enters_array();
    std::iter::from_fn(move || cursor.next_element().then(|| cursor.value()))
}

/// The names and values of a valid JSON object, in order.
pub(crate) fn members(object: &str) -> impl Iterator<Item = (Cow<'_, str>, Value<'_>)> {
    let mut cursor = Cursor::new(object);
    cursor.enters_object();
    std::iter::from_fn(move || Some((cursor.next_member()?, cursor.value())))
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
    use proptest::prelude::*;

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

    /// What a cursor meets, in order.
    fn gone_over(cursor: &mut Cursor<'_>, out: &mut String) {
        if cursor.enters_object() {
            out.push('{');
            while let Some(name) = cursor.next_member() {
                out.push_str(&format!("{name:?}:"));
                gone_over(cursor, out);
                out.push(',');
            }
            out.push('}');
        } else if cursor.enters_array() {
            out.push('[');
            while cursor.next_element() {
                gone_over(cursor, out);
                out.push(',');
            }
            out.push(']');
        } else {
            match cursor.value() {
                Value::Text(text) => out.push_str(&format!("{:?}", text.into_decoded().unwrap())),
                Value::Number(text) => out.push_str(text),
                Value::Bool(is_true) => out.push_str(&is_true.to_string()),
                value => {
                    assert_eq!(value, Value::Missing);
                    out.push_str("null");
                }
            }
        }
    }

    fn expected(value: &serde_json::Value) -> String {
        use serde_json::Value;
        match value {
            Value::Object(members) => {
                let member = |(name, value)| format!("{name:?}:{},", expected(value));
                format!("{{{}}}", members.iter().map(member).collect::<String>())
            }
            Value::Array(elements) => {
                let element = |value| format!("{},", expected(value));
                format!("[{}]", elements.iter().map(element).collect::<String>())
            }
            Value::String(text) => format!("{text:?}"),
            other => other.to_string(),
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let scalar = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            r#"([\\"/\n\u{1}é😀,:{}\[\]]|[a-z ]{1,12}){0,6}"#.prop_map(Into::into),
        ];
        scalar.prop_recursive(5, 64, 6, |value| {
            let name = r#"[a-z\\"\n}é]{0,20}"#;
            prop_oneof![
                prop::collection::vec(value.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(name, value, 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_cursor_meets_what_another_reader_does(value in any_json()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let mut out = String::new();
                gone_over(&mut Cursor::new(&text), &mut out);
                prop_assert_eq!(&out, &expected(&value));
            }
        }
    }

    #[test]
    fn members_and_elements_come_in_order_and_as_wholes() {
        let found: Vec<_> =
            members(r#"{ "a" : 1 , "b\u0062":[2, {"x":3}],"a":{}, "\ud83d":null }"#).collect();
        let expected = [
            ("a", Value::Number("1")),
            ("bb", Value::Array(r#"[2, {"x":3}]"#)),
            ("a", Value::Object("{}")),
            (r"\ud83d", Value::Missing),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.into(), value)));
        assert_eq!(elements("[ ]").count(), 0);
        let values: Vec<_> = elements(r#"[1,null , [true]]"#).collect();
        assert_eq!(values, [Value::Number("1"), Value::Missing, Value::Array("[true]")]);
    }

    #[test]
    fn a_text_that_is_not_valid_comes_to_an_end() {
        let whole = r#"{"a": [1.5, {"b": "c"}, true], "d": "e"}"#;
        for end in 0..whole.len() {
            gone_over(&mut Cursor::new(&whole[..end]), &mut String::new());
        }
        for text in ["é", "[é]", "{é\": 1}", "{,,", "{\"a\" é}", "[1 2", "{]", "[\"\\x\"]"] {
            gone_over(&mut Cursor::new(text), &mut String::new());
        }
    }
}
