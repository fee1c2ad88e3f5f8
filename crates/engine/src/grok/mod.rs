//! Logs: each line becomes the JSON object of what a grok pattern captures in it.

mod expand;
mod lines;
mod logs;
mod patterns;
mod relaxed;

use fancy_regex::{Captures, Regex, RegexBuilder, RegexInput};
use personalize_plan::GrokFormat;

use self::expand::{Expansion, Field, Type};
use crate::fault::RecordFault;
use crate::json;

pub(crate) use self::lines::Lines;
pub(crate) use self::logs::recognise;

/// Attempts that a line may take: a pattern that backtracks without end costs each line some
/// milliseconds, and one that does not is far below.
const ATTEMPTS: usize = 250_000;

/// Instructions that a pattern may become.
const INSTRUCTIONS: usize = 500_000;

/// Why a grok pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrokError {
    /// A reference to a pattern is not written as one.
    #[error("`{0}` is no reference to a pattern, which is written `%{{NAME:field}}`")]
    Reference(String),
    /// No pattern of that name is known.
    #[error("there is no pattern `{0}`")]
    UnknownPattern(String),
    /// A pattern needs itself.
    #[error("the pattern `{0}` refers to itself")]
    Recursive(String),
    /// With everything that it refers to, the pattern is too long.
    #[error("with all patterns that it refers to, it is too long")]
    TooLong,
    /// What the pattern becomes is no regular expression.
    #[error("it is no regular expression: {0}")]
    Regex(String),
}

/// A pattern that is ready for use.
#[derive(Debug)]
pub(crate) struct Grok {
    regex: Regex,
    /// Matches wherever `regex` does and takes one pass for it, where there is such an expression
    filter: Option<regex::Regex>,
    captures: Vec<Capture>,
}

#[derive(Debug)]
struct Capture {
    group: usize,
    field: Field,
}

impl Grok {
    pub(crate) fn new(format: &GrokFormat) -> Result<Self, GrokError> {
        let Expansion { regex, fields } =
            expand::expand(&format.pattern, &patterns::custom(&format.custom_patterns))?;
        let filter = relaxed::relaxed(&regex).and_then(|regex| regex::Regex::new(&regex).ok());
        let regex = RegexBuilder::new(&regex)
            .backtrack_limit(ATTEMPTS)
            .max_prog_size(INSTRUCTIONS)
            .build()
            .map_err(|fault| GrokError::Regex(fault.to_string()))?;
        let field = |name: &str| match expand::field_of_group(name) {
            Some(index) => fields.get(index).cloned(),
            None => Some(Field::named(name)),
        };
        let captures = regex
            .capture_names()
            .enumerate()
            .filter_map(|(group, name)| Some(Capture { group, field: field(name?)? }))
            .collect();
        Ok(Self { regex, filter, captures })
    }

    /// Writes what is captured in a line in place of what is in `object`. Whether the line is
    /// `expected` to match from its beginning on is of no matter but for the time it takes.
    fn write(&self, line: &str, expected: bool, object: &mut String) -> Result<(), RecordFault> {
        let found = self.captures(line, expected).map_err(|_| RecordFault::MatchLimit)?;
        let found = found.ok_or(RecordFault::NoMatch)?;
        object.clear();
        object.push('{');
        for Capture { group, field } in &self.captures {
            let Some(text) = found.get(*group) else {
                continue;
            };
            if object.len() > 1 {
                object.push(',');
            }
            json::write::string(object, &field.name);
            object.push(':');
            field.write(text.as_str(), object);
        }
        object.push('}');
        Ok(())
    }

    fn captures<'t>(
        &self,
        line: &'t str,
        expected: bool,
    ) -> fancy_regex::Result<Option<Captures<'t, str>>> {
        if expected
            && let Ok(Some(found)) = self.regex.captures_input(RegexInput::new(line).anchored(true))
        {
            return Ok(Some(found));
        }
        match self.earliest(line) {
            Some(from) => self.regex.captures_from_pos(line, from),
            None => Ok(None),
        }
    }

    /// Whether a line, from its beginning, is as the pattern says.
    fn begins(&self, line: &str) -> bool {
        self.earliest(line) == Some(0)
            && matches!(self.regex.find(line), Ok(Some(found)) if found.start() == 0)
    }

    /// Before where the pattern does not match, if it may match at all.
    fn earliest(&self, line: &str) -> Option<usize> {
        self.filter.as_ref().map_or(Some(0), |filter| Some(filter.find(line)?.start()))
    }
}

impl Field {
    fn write(&self, text: &str, object: &mut String) {
        let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let text = unquoted.filter(|_| self.is_quoted).unwrap_or(text);
        let is = |word| text.eq_ignore_ascii_case(word);
        match self.value {
            Type::Number if json::is_number(text) => object.push_str(text),
            Type::Boolean if is("true") => object.push_str("true"),
            Type::Boolean if is("false") => object.push_str("false"),
            Type::Text | Type::Number | Type::Boolean => json::write::string(object, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    fn grok(pattern: &str, custom_patterns: &str) -> Result<Grok, GrokError> {
        Grok::new(&GrokFormat {
            pattern: pattern.to_owned(),
            custom_patterns: custom_patterns.to_owned(),
        })
    }

    fn object(pattern: &str, line: &str) -> Result<String, RecordFault> {
        let mut object = "left over".to_owned();
        let grok = grok(pattern, "").unwrap();
        let found = grok.write(line, true, &mut object);
        let expected = object.clone();
        assert_eq!(grok.write(line, false, &mut object), found);
        assert_eq!(object, expected);
        found?;
        serde_json::from_str::<serde_json::Value>(&object).expect(&object);
        Ok(object)
    }

    #[test]
    fn captures_become_members() {
        assert_eq!(
            object(
                "%{IP:client} %{WORD} %{NOTSPACE:[url][path]} (?<rest>.*)",
                "::1 GET /é \"x\\\t"
            )
            .unwrap(),
            r#"{"client":"::1","path":"/é","rest":"\"x\\\t"}"#
        );
        assert_eq!(object("^%{WORD:a.b-c}(?: %{WORD:d})?$", "x").unwrap(), r#"{"a.b-c":"x"}"#);
        assert_eq!(object("%{WORD:a}|%{DATA:b}-", "-").unwrap(), r#"{"b":""}"#);
        assert_eq!(object("%{WORD:UNWANTED} %{WORD:a}", "x y").unwrap(), r#"{"a":"y"}"#);
        assert_eq!(object("%{INT:a}", "no number"), Err(RecordFault::NoMatch));
    }

    #[test]
    fn a_type_makes_a_number_or_boolean_of_what_is_one() {
        let types =
            "%{NOTSPACE:i:int} %{NOTSPACE:f;float} %{NOTSPACE:b:boolean} %{NOTSPACE:s:date}";
        assert_eq!(
            object(types, "-12 1.50 TRUE 7").unwrap(),
            r#"{"i":-12,"f":1.50,"b":true,"s":"7"}"#
        );
        assert_eq!(
            object(types, "007 - yes x").unwrap(),
            r#"{"i":"007","f":"-","b":"yes","s":"x"}"#
        );
    }

    #[test]
    fn quotes_around_quoted_strings_are_no_values() {
        let line = r#""a \" b" 'c' """#;
        assert_eq!(
            object("%{QS:x} %{QUOTEDSTRING:y} %{QS:z}", line).unwrap(),
            r#"{"x":"a \\\" b","y":"'c'","z":""}"#
        );
        assert_eq!(object("%{NOTSPACE:x}", "\"a\"").unwrap(), r#"{"x":"\"a\""}"#);
    }

    #[test]
    fn attempts_have_an_end() {
        let catastrophic = r"^(?:(?=a)(?:a|aa)+)+()\1(?<x>b)$";
        let line = "a".repeat(5_000);
        assert_eq!(object(catastrophic, &line), Err(RecordFault::MatchLimit));
    }

    proptest! {
        #[test]
        fn the_filter_hides_no_match(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "203.0.113.7", "::1", "-", " ", "/", "x.y", "é", "\"", "\"a b\"", "'", "\\", "1.5",
                    "+2", "[", "]", ":", "2019-01-10", "22:12:01", "Jan", "http://x.y/z?a=b",
                ]),
                0..12,
            ),
        ) {
            static GROKS: LazyLock<Vec<Grok>> = LazyLock::new(|| {
                let names = [
                    "IPORHOST", "NUMBER", "BASE16FLOAT", "QS", "TIMESTAMP_ISO8601", "SYSLOGTIMESTAMP",
                    "URI", "PATH", "TIME", "DATE", "WORD", "MONTH", "YEAR", "HTTPD_COMMONLOG",
                ];
                names.map(|name| grok(&format!("%{{{name}:x}}$"), "").unwrap()).into()
            });
            let line = pieces.concat();
            for Grok { regex, filter, .. } in GROKS.iter() {
                let filter = filter.as_ref().unwrap();
                if let Some(found) = regex.find(&line).unwrap() {
                    let earliest = filter.find(&line).map(|found| found.start());
                    prop_assert!(earliest.is_some_and(|start| start <= found.start()));
                }
            }
        }
    }

    #[test]
    fn unusable_patterns_are_refused() {
        let error = |pattern: &str, custom: &str| grok(pattern, custom).unwrap_err();
        assert_eq!(error("%{NONE:x}", ""), GrokError::UnknownPattern("NONE".into()));
        assert_eq!(error("%{A}", "A x%{B}\nB %{A}"), GrokError::Recursive("A".into()));
        assert_eq!(error("%{A:x", ""), GrokError::Reference("%{A:x".into()));
        assert_eq!(error("%{A B}", ""), GrokError::Reference("%{A B}".into()));
        assert!(matches!(error("(%{WORD:x}", ""), GrokError::Regex(_)));
        assert!(matches!(error("((a{1000}){1000}){1000}(?=b)", ""), GrokError::Regex(_)));
        let doubling: String =
            (0..40).map(|n| format!("P{n} %{{P{0}}}%{{P{0}}}\n", n + 1)).collect();
        assert_eq!(error("%{P0}", &(doubling + "P40 x")), GrokError::TooLong);
        let chain: String = (0..9000).map(|n| format!("P{n} %{{P{}}}\n", n + 1)).collect();
        assert_eq!(error("%{P0}", &chain), GrokError::TooLong);
    }
}
