//! How the source writes its times: the `TimestampFormat` parameter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the source writes its times.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TimestampFormat {
    /// Told from each value: ISO 8601 by its form, epochs by their size.
    #[default]
    Auto,
    /// Numbers, or text that holds a number, in this unit since 1970-01-01 UTC.
    Epoch(EpochUnit),
    /// Text by a pattern.
    Pattern(DatePattern),
}

/// The unit of an epoch timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochUnit {
    /// 1
    Seconds,
    /// 1/1,000
    Milliseconds,
    /// 1/1,000,000
    Microseconds,
    /// 1/1,000,000,000
    Nanoseconds,
}

/// A pattern in the letters that Spark, Java and Glue use, such as `dd/MM/yyyy HH:mm:ss`.
///
/// A pattern without a zone is UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatePattern {
    text: String,
    items: Vec<PatternItem>,
}

/// One element of a [`DatePattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternItem {
    /// `yyyy`: four digits
    Year,
    /// `yy`: two digits of this century
    ShortYear,
    /// `M` (one or two digits) or `MM` (two)
    Month(Digits),
    /// `MMM`: `Jan`, or `MMMM`: `January`
    MonthName {
        /// Whether the name is written out.
        full: bool,
    },
    /// `d` or `dd`
    Day(Digits),
    /// `H` or `HH`: 0 to 23
    Hour(Digits),
    /// `h` or `hh`: 1 to 12, with [`PatternItem::AmPm`]
    Hour12(Digits),
    /// `a`: `AM` or `PM`
    AmPm,
    /// `m` or `mm`
    Minute(Digits),
    /// `s` or `ss`
    Second(Digits),
    /// `S…`: that many digits of a fraction, dropped
    Fraction(usize),
    /// `X`, `XX`, `XXX` or `Z`: `Z`, `+09`, `+0900` or `+09:00`
    Offset,
    /// Text that stands there as it is
    Literal(String),
}

/// How many digits a number in a pattern has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// One or two
    OneOrTwo,
    /// Exactly two
    Two,
}

/// Why a text is no [`TimestampFormat`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no timestamp format: {fault}; write auto, seconds, milliseconds, microseconds, \
     nanoseconds or a pattern such as yyyy-MM-dd'T'HH:mm:ss.SSSXXX"
)]
pub struct TimestampFormatError {
    text: String,
    fault: String,
}

impl EpochUnit {
    const ALL: [(Self, &str); 4] = [
        (Self::Seconds, "seconds"),
        (Self::Milliseconds, "milliseconds"),
        (Self::Microseconds, "microseconds"),
        (Self::Nanoseconds, "nanoseconds"),
    ];

    /// How many decimal places the unit lies below the second.
    pub fn decimal_places(self) -> usize {
        match self {
            Self::Seconds => 0,
            Self::Milliseconds => 3,
            Self::Microseconds => 6,
            Self::Nanoseconds => 9,
        }
    }
}

impl DatePattern {
    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The pattern's elements in order.
    pub fn items(&self) -> &[PatternItem] {
        &self.items
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let run = rest.chars().take_while(|c| *c == first).count();
            if first == '\'' {
                let (literal, after) = quoted(&rest[1..])?;
                push_literal(&mut items, &literal);
                rest = after;
                continue;
            }
            if first.is_ascii_alphabetic() {
                items.push(item(first, run)?);
                rest = &rest[run..];
            } else {
                push_literal(&mut items, first.encode_utf8(&mut [0; 4]));
                rest = &rest[first.len_utf8()..];
            }
        }
        let has = |wanted: fn(&PatternItem) -> bool| items.iter().any(wanted);
        let has_date = has(|i| matches!(i, PatternItem::Year | PatternItem::ShortYear))
            && has(|i| matches!(i, PatternItem::Month(_) | PatternItem::MonthName { .. }))
            && has(|i| matches!(i, PatternItem::Day(_)));
        if !has_date {
            return Err("a pattern needs a year (yyyy), a month (MM) and a day (dd)".into());
        }
        if has(|i| matches!(i, PatternItem::Hour12(_))) != has(|i| *i == PatternItem::AmPm) {
            return Err("hh (1 to 12) and a (AM or PM) go together".into());
        }
        Ok(Self { text: text.to_owned(), items })
    }
}

fn item(letter: char, run: usize) -> Result<PatternItem, String> {
    let digits = || match run {
        1 => Ok(Digits::OneOrTwo),
        2 => Ok(Digits::Two),
        _ => Err(format!("`{}` is too long", letter.to_string().repeat(run))),
    };
    Ok(match letter {
        'y' | 'u' if run == 2 => PatternItem::ShortYear,
        'y' | 'u' => PatternItem::Year,
        'M' | 'L' if run == 3 || run == 4 => PatternItem::MonthName { full: run == 4 },
        'M' | 'L' => PatternItem::Month(digits()?),
        'd' => PatternItem::Day(digits()?),
        'H' => PatternItem::Hour(digits()?),
        'h' => PatternItem::Hour12(digits()?),
        'a' => PatternItem::AmPm,
        'm' => PatternItem::Minute(digits()?),
        's' => PatternItem::Second(digits()?),
        'S' => PatternItem::Fraction(run),
        'X' | 'x' | 'Z' => PatternItem::Offset,
        _ => return Err(format!("the pattern letter `{letter}` is not known")),
    })
}

/// The text up to the closing quote, and what follows; `''` is one quote, inside and outside.
fn quoted(after_quote: &str) -> Result<(String, &str), String> {
    if let Some(rest) = after_quote.strip_prefix('\'') {
        return Ok(("'".into(), rest));
    }
    let mut literal = String::new();
    let mut rest = after_quote;
    loop {
        let (text, after) = rest.split_once('\'').ok_or("a closing ' is missing")?;
        literal.push_str(text);
        match after.strip_prefix('\'') {
            Some(after) => {
                literal.push('\'');
                rest = after;
            }
            None => return Ok((literal, after)),
        }
    }
}

fn push_literal(items: &mut Vec<PatternItem>, text: &str) {
    match items.last_mut() {
        Some(PatternItem::Literal(literal)) => literal.push_str(text),
        _ => items.push(PatternItem::Literal(text.to_owned())),
    }
}

impl FromStr for TimestampFormat {
    type Err = TimestampFormatError;

    fn from_str(text: &str) -> Result<Self, TimestampFormatError> {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let unit = EpochUnit::ALL.iter().find(|(_, name)| text.eq_ignore_ascii_case(name));
        if let Some((unit, _)) = unit {
            return Ok(Self::Epoch(*unit));
        }
        match DatePattern::parse(text) {
            Ok(pattern) => Ok(Self::Pattern(pattern)),
            Err(fault) => Err(TimestampFormatError { text: text.to_owned(), fault }),
        }
    }
}

impl fmt::Display for TimestampFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Epoch(unit) => {
                let named = EpochUnit::ALL.iter().find(|(known, _)| known == unit);
                f.write_str(named.map_or("seconds", |(_, name)| name))
            }
            Self::Pattern(pattern) => f.write_str(&pattern.text),
        }
    }
}

impl TryFrom<String> for TimestampFormat {
    type Error = TimestampFormatError;

    fn try_from(text: String) -> Result<Self, TimestampFormatError> {
        text.parse()
    }
}

impl From<TimestampFormat> for String {
    fn from(format: TimestampFormat) -> Self {
        format.to_string()
    }
}

/// The English names of the months, or their first three letters.
pub fn month_names(full: bool) -> impl Iterator<Item = &'static str> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    MONTHS.into_iter().map(move |name| if full { name } else { &name[..3] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_patterns_read_back() {
        for text in
            ["auto", "seconds", "nanoseconds", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "d MMM yyyy h:mm a"]
        {
            assert_eq!(text.parse::<TimestampFormat>().unwrap().to_string(), text);
        }
        assert_eq!("".parse(), Ok(TimestampFormat::Auto));
    }

    #[test]
    fn quoted_text_is_literal() {
        let TimestampFormat::Pattern(pattern) = "yyyyMMdd'T''Z'".parse().unwrap() else {
            panic!("a pattern")
        };
        assert_eq!(pattern.items().last(), Some(&PatternItem::Literal("T'Z".into())));
    }

    #[test]
    fn what_cannot_be_a_date_is_refused() {
        for (text, part) in [
            ("HH:mm", "needs a year"),
            ("yyyy-MM-dd hh:mm", "go together"),
            ("yyyy-MM-dd G", "`G` is not known"),
            ("yyyy-MM-dd'T", "closing '"),
            ("yyyy-MM-ddd", "too long"),
        ] {
            let fault = text.parse::<TimestampFormat>().unwrap_err().to_string();
            assert!(fault.contains(part), "{fault}");
        }
    }
}
