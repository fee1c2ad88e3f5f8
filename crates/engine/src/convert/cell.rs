//! One value, one cell.

use personalize_plan::{Conversion, TimestampFormat};

use super::number::{Decimal, is_plain_integer};
use super::text::{is_blank, is_longer, one_line, write_cell};
use super::timestamp::{epoch_seconds, in_calendar};
use crate::fault::CellFault;
use crate::json;
use crate::row_buffer::RowBuffer;
use crate::value::{Text, Value};

/// Buffers that are used again for every cell.
#[derive(Default)]
pub(crate) struct Scratch {
    decoded: String,
    joined: String,
    digits: itoa::Buffer,
}

impl Scratch {
    /// Appends the cell of a value; false if the value is missing and the cell empty.
    pub(crate) fn write_cell(
        &mut self,
        out: &mut RowBuffer,
        value: Value<'_>,
        conversion: Conversion,
        format: &TimestampFormat,
    ) -> Result<bool, CellFault> {
        match value {
            Value::Missing => return Ok(false),
            Value::Object(_) => return Err(CellFault::IsObject),
            Value::Array(array) if conversion.takes_arrays() => {
                self.join(array)?;
                return write_text(out, &self.joined, conversion);
            }
            Value::Array(_) => return Err(CellFault::IsArray),
            Value::Integer(number) => {
                let mut digits = itoa::Buffer::new();
                let number = Value::Number(digits.format(number));
                return self.write_cell(out, number, conversion, format);
            }
            Value::NotText => return Err(CellFault::NotText),
            Value::InexactTime => return Err(CellFault::InexactTime),
            // A typed time is the same in every TimestampFormat.
            Value::Time(time) if conversion == Conversion::EpochSeconds => {
                out.extend_from_slice(self.digits.format(in_calendar(time.seconds)?).as_bytes());
                return Ok(true);
            }
            // Most identifiers and values: digits that are their own cell, and fewer than any
            // type's range or length has.
            Value::Number(text)
                if text.len() < 10
                    && !matches!(
                        conversion,
                        Conversion::EpochSeconds | Conversion::Boolean | Conversion::Textual
                    )
                    && is_plain_integer(text) =>
            {
                out.extend_from_slice(text.as_bytes());
                return Ok(true);
            }
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Time(_) => {}
        }
        match conversion {
            Conversion::EpochSeconds => {
                let text = scalar(&mut self.decoded, value)?.unwrap_or_default().trim();
                if text.is_empty() {
                    return Ok(false);
                }
                let seconds = epoch_seconds(text, format)?;
                out.extend_from_slice(self.digits.format(seconds).as_bytes());
                Ok(true)
            }
            Conversion::Float | Conversion::Double | Conversion::Int | Conversion::Long => {
                self.write_number(out, value, conversion)
            }
            Conversion::Boolean => self.write_boolean(out, value),
            Conversion::Identifier
            | Conversion::EventType
            | Conversion::Text
            | Conversion::List
            | Conversion::Categorical
            | Conversion::Textual => match scalar(&mut self.decoded, value)? {
                Some(text) => write_text(out, text, conversion),
                None => Ok(false),
            },
        }
    }

    /// The text of a value as the event filter compares it; nothing if it is not one value.
    pub(crate) fn plain_text<'b>(&'b mut self, value: Value<'b>) -> Option<&'b str> {
        match value {
            Value::Object(_) | Value::Array(_) | Value::NotText | Value::InexactTime => None,
            value => scalar(&mut self.decoded, value).ok().flatten(),
        }
    }

    /// Joins an array's values with `|`; nulls and blanks are left out.
    fn join(&mut self, array: &str) -> Result<(), CellFault> {
        let joined = &mut self.joined;
        joined.clear();
        for value in json::elements(array) {
            if matches!(value, Value::Array(_) | Value::Object(_)) {
                return Err(CellFault::NestedInArray);
            }
            let Some(text) = scalar(&mut self.decoded, value)? else {
                continue;
            };
            // Personalize knows no escape for the separator.
            let text = one_line(text).replace('|', " ");
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            if !joined.is_empty() {
                joined.push('|');
            }
            joined.push_str(text);
        }
        Ok(())
    }

    fn write_number(
        &mut self,
        out: &mut RowBuffer,
        value: Value<'_>,
        conversion: Conversion,
    ) -> Result<bool, CellFault> {
        let text = match value {
            Value::Bool(value) => {
                if value {
                    "1"
                } else {
                    "0"
                }
            }
            Value::Number(text) => text,
            Value::Text(text) => decoded(&mut self.decoded, text)?.trim(),
            Value::Time(_) => return Err(CellFault::NotANumber),
            _ => "",
        };
        if text.is_empty() {
            return Ok(false);
        }
        let number = Decimal::parse(text).ok_or(CellFault::NotANumber)?;
        let number = number.map_err(|_| CellFault::OutOfRange)?;
        if matches!(conversion, Conversion::Int | Conversion::Long) && !number.is_whole() {
            return Err(CellFault::NotWhole);
        }
        self.joined.clear();
        number.write(&mut self.joined);
        let plain = &self.joined;
        let fits = match conversion {
            Conversion::Int => plain.parse::<i32>().is_ok(),
            Conversion::Long => plain.parse::<i64>().is_ok(),
            Conversion::Float => plain.parse::<f32>().is_ok_and(f32::is_finite),
            _ => plain.parse::<f64>().is_ok_and(f64::is_finite),
        };
        if !fits {
            return Err(CellFault::OutOfRange);
        }
        out.extend_from_slice(plain.as_bytes());
        Ok(true)
    }

    fn write_boolean(&mut self, out: &mut RowBuffer, value: Value<'_>) -> Result<bool, CellFault> {
        let text = scalar(&mut self.decoded, value)?.unwrap_or_default().trim();
        let word = match text {
            "" => return Ok(false),
            "1" => "True",
            "0" => "False",
            text if text.eq_ignore_ascii_case("true") => "True",
            text if text.eq_ignore_ascii_case("false") => "False",
            _ => return Err(CellFault::NotABoolean),
        };
        out.extend_from_slice(word.as_bytes());
        Ok(true)
    }
}

/// A single value as text: numbers without exponent, booleans as `True` and `False`.
fn scalar<'b>(scratch: &'b mut String, value: Value<'b>) -> Result<Option<&'b str>, CellFault> {
    match value {
        Value::Text(text) => decoded(scratch, text).map(Some),
        Value::Number(text) if is_plain_integer(text) => Ok(Some(text)),
        Value::Number(text) => {
            let number = Decimal::parse(text).ok_or(CellFault::NotANumber)?;
            scratch.clear();
            number.map_err(|_| CellFault::OutOfRange)?.write(scratch);
            Ok(Some(scratch))
        }
        Value::Bool(value) => Ok(Some(if value { "True" } else { "False" })),
        Value::Integer(number) => {
            scratch.clear();
            scratch.push_str(itoa::Buffer::new().format(number));
            Ok(Some(scratch))
        }
        Value::Time(time) => {
            scratch.clear();
            time.write(scratch);
            Ok(Some(scratch))
        }
        Value::NotText => Err(CellFault::NotText),
        Value::InexactTime => Err(CellFault::InexactTime),
        Value::Missing | Value::Array(_) | Value::Object(_) => Ok(None),
    }
}

fn decoded<'b>(scratch: &'b mut String, text: Text<'b>) -> Result<&'b str, CellFault> {
    text.decode(scratch).map_err(|_| CellFault::LoneSurrogate)
}

fn write_text(out: &mut RowBuffer, text: &str, conversion: Conversion) -> Result<bool, CellFault> {
    let line = one_line(text);
    if is_blank(&line) {
        return Ok(false);
    }
    if let Some(most) = conversion.max_characters()
        && is_longer(&line, most)
    {
        return Err(CellFault::TooLong { most });
    }
    write_cell(out, &line, conversion.is_textual());
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str, conversion: Conversion) -> Result<String, CellFault> {
        let mut out = RowBuffer::default();
        let value = json::Cursor::new(text).value();
        let written =
            Scratch::default().write_cell(&mut out, value, conversion, &TimestampFormat::Auto)?;
        assert_eq!(written, out.len() > 0);
        Ok(String::from_utf8(out.as_slice().to_vec()).unwrap())
    }

    #[track_caller]
    fn check(conversion: Conversion, cases: &[(&str, &str)]) {
        for (json, expected) in cases {
            assert_eq!(cell(json, conversion).as_deref(), Ok(*expected), "{json}");
        }
    }

    #[test]
    fn identifiers_are_text_and_keep_every_digit() {
        check(
            Conversion::Identifier,
            &[
                ("35", "35"),
                ("35.0", "35"),
                ("3.5e1", "35"),
                ("1234567890123456789012345", "1234567890123456789012345"),
                (r#""007""#, "007"),
                (r#""a,b\"c\\d|e""#, r#""a,b\"c\\d|e""#),
                (r#""顧客\u0031""#, "顧客1"),
                (r#"" \t ""#, ""),
                ("null", ""),
            ],
        );
        let long = format!("\"{}\"", "é".repeat(257));
        assert_eq!(cell(&long, Conversion::Identifier), Err(CellFault::TooLong { most: 256 }));
        assert!(cell(&format!("\"{}\"", "é".repeat(256)), Conversion::Identifier).is_ok());
        assert_eq!(cell("{}", Conversion::Identifier), Err(CellFault::IsObject));
        assert_eq!(cell("[1]", Conversion::Identifier), Err(CellFault::IsArray));
        assert_eq!(cell(r#""\ud800""#, Conversion::Identifier), Err(CellFault::LoneSurrogate));
    }

    #[test]
    fn numbers_are_plain_and_within_range() {
        check(
            Conversion::Float,
            &[
                ("35", "35"),
                (r#"" 19.90 ""#, "19.9"),
                (r#""""#, ""),
                ("true", "1"),
                ("1e3", "1000"),
            ],
        );
        assert_eq!(cell(r#""free""#, Conversion::Float), Err(CellFault::NotANumber));
        assert_eq!(cell(r#""NaN""#, Conversion::Float), Err(CellFault::NotANumber));
        assert_eq!(cell("4e38", Conversion::Float), Err(CellFault::OutOfRange));
        assert!(cell("3.4e38", Conversion::Float).is_ok());
        assert!(cell("4e38", Conversion::Double).is_ok());
        assert_eq!(cell("2e308", Conversion::Double), Err(CellFault::OutOfRange));
        check(Conversion::Long, &[("35.0", "35"), (r#""-7""#, "-7"), ("false", "0")]);
        assert_eq!(cell("35.5", Conversion::Long), Err(CellFault::NotWhole));
        assert_eq!(cell("2147483648", Conversion::Int), Err(CellFault::OutOfRange));
        assert_eq!(cell("9223372036854775808", Conversion::Long), Err(CellFault::OutOfRange));
    }

    #[test]
    fn arrays_of_scalars_join_into_categories() {
        check(
            Conversion::Categorical,
            &[
                (r#"["Drama","Sci-Fi"]"#, "Drama|Sci-Fi"),
                (r#"["a|b"," ",null,"c\nd",7.50,true]"#, "a b|c d|7.5|True"),
                ("[]", ""),
                ("[null]", ""),
                (r#""Action|Crime""#, "Action|Crime"),
                ("true", "True"),
            ],
        );
        assert_eq!(cell("[[1]]", Conversion::Categorical), Err(CellFault::NestedInArray));
        assert_eq!(cell(r#"["a"]"#, Conversion::Text), Err(CellFault::IsArray));
    }

    #[test]
    fn booleans_are_words_that_can_be_trained_on() {
        check(
            Conversion::Boolean,
            &[
                ("true", "True"),
                (r#""FALSE""#, "False"),
                ("1", "True"),
                (r#""0""#, "False"),
                ("null", ""),
            ],
        );
        assert_eq!(cell(r#""yes""#, Conversion::Boolean), Err(CellFault::NotABoolean));
    }

    #[test]
    fn textual_cells_are_always_quoted_unless_empty() {
        check(
            Conversion::Textual,
            &[(r#""plain""#, "\"plain\""), (r#""two\nlines""#, "\"two lines\""), (r#""  ""#, "")],
        );
    }
}
