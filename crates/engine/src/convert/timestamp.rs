//! Times as whole seconds since 1970-01-01 UTC, rounded down.

use std::ops::RangeInclusive;

use personalize_plan::{DatePattern, Digits, PatternItem, TimestampFormat, month_names};

use super::number::Decimal;
use crate::fault::CellFault;
use crate::lanes::{self, LANES};

/// The years 0 to 9999. What lies outside was read in the wrong unit.
const SECONDS_OF_THE_CALENDAR: RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// Reads a time, without white space around it, as the format says.
pub(crate) fn epoch_seconds(text: &str, format: &TimestampFormat) -> Result<i64, CellFault> {
    in_calendar(read(text, format)?)
}

/// The seconds, if they lie in the years 0 to 9999.
pub(crate) fn in_calendar(seconds: i64) -> Result<i64, CellFault> {
    if SECONDS_OF_THE_CALENDAR.contains(&seconds) {
        Ok(seconds)
    } else {
        Err(CellFault::OutOfRange)
    }
}

fn read(text: &str, format: &TimestampFormat) -> Result<i64, CellFault> {
    match format {
        TimestampFormat::Auto => auto(text),
        TimestampFormat::Epoch(unit) => match Decimal::parse(text) {
            None => Err(CellFault::NotATime),
            Some(number) => number
                .ok()
                .and_then(|number| number.floor_shifted(unit.decimal_places()))
                .ok_or(CellFault::OutOfRange),
        },
        TimestampFormat::Pattern(pattern) => by_pattern(text, pattern).ok_or(CellFault::NotATime),
    }
}

/// Epochs in any unit, told apart by their size, and ISO 8601.
fn auto(text: &str) -> Result<i64, CellFault> {
    // Ten digits are seconds since 2001 and until 2286, as most collectors write them.
    if let ([b'1'..=b'9', _, _, _, _, _, _, _, _, _], Ok(seconds)) = (text.as_bytes(), text.parse())
    {
        return Ok(seconds);
    }
    if let Some(seconds) = iso_8601(text.as_bytes()) {
        return Ok(seconds);
    }
    let number = Decimal::parse(text).ok_or(CellFault::NotATime)?;
    let number = number.map_err(|_| CellFault::OutOfRange)?;
    if is_compact_date(text) {
        return Err(CellFault::AmbiguousTime);
    }
    // Below 10^11 a number is seconds until the year 5138; the next units follow by thousands.
    let decimal_places = match number.whole_digits() {
        ..=11 => 0,
        12..=14 => 3,
        15..=17 => 6,
        _ => 9,
    };
    number.floor_shifted(decimal_places).ok_or(CellFault::OutOfRange)
}

/// Whether the digits are a date of this or the last century, as in 20240131 or 20240131235959:
/// read as an epoch it would be a time that nobody meant.
fn is_compact_date(text: &str) -> bool {
    if !matches!(text.len(), 8 | 12 | 14 | 17) || !text.bytes().all(|c| c.is_ascii_digit()) {
        return false;
    }
    let part = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse().ok());
    let up_to = |from, most| part(from, from + 2).is_none_or(|value: i64| value <= most);
    let date = (part(0, 4), part(4, 6), part(6, 8));
    let (Some(year), Some(month), Some(day)) = date else {
        return false;
    };
    (1900..2100).contains(&year)
        && days_since_epoch(year, month, day).is_some()
        && up_to(8, 23)
        && up_to(10, 59)
        && up_to(12, 59)
}

/// `YYYY-MM-DD`, then perhaps `T` or a space, `HH:MM`, `:SS`, a fraction and a zone; without one it
/// is UTC. The basic form `YYYYMMDDTHHMMSS` is read as well.
fn iso_8601(text: &[u8]) -> Option<i64> {
    common_iso_8601(text).or_else(|| any_iso_8601(text))
}

/// `YYYY-MM-DDTHH:MM:SSZ` with or without a fraction, as most writers have it.
pub(super) fn common_iso_8601(text: &[u8]) -> Option<i64> {
    /// Of the first block: where no digits are
    const PUNCTUATION: u32 = 1 << 4 | 1 << 7 | 1 << 10 | 1 << 13;
    let ([time @ .., b':', s0, s1], rest) = text.split_first_chunk::<{ LANES + 3 }>()? else {
        return None;
    };
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1] = time else {
        return None;
    };
    let has_zone = match rest {
        [b'Z'] => true,
        [b'.', first, more @ .., b'Z'] => {
            first.is_ascii_digit() && more.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    let are_digits = lanes::not_digits(time) == PUNCTUATION;
    if !(has_zone && are_digits && s0.is_ascii_digit() && s1.is_ascii_digit()) {
        return None;
    }
    let two = |tens: &u8, ones: &u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
    let days = days_since_epoch(two(y0, y1) * 100 + two(y2, y3), two(m0, m1), two(d0, d1))?;
    Some(days * 86_400 + time_of_day(two(h0, h1), two(n0, n1), two(s0, s1))?)
}

fn any_iso_8601(text: &[u8]) -> Option<i64> {
    let mut cursor = Cursor { rest: text };
    let year = cursor.digits(4)?;
    let extended = cursor.take(b'-');
    let month = cursor.digits(2)?;
    if extended && !cursor.take(b'-') {
        return None;
    }
    let days = days_since_epoch(year, month, cursor.digits(2)?)?;
    if cursor.rest.is_empty() {
        return extended.then_some(days * 86_400);
    }
    if !(cursor.take(b'T') || cursor.take(b't') || (extended && cursor.take(b' '))) {
        return None;
    }
    let hour = cursor.digits(2)?;
    if extended && !cursor.take(b':') {
        return None;
    }
    let minute = cursor.digits(2)?;
    let mut second = 0;
    let has_second = match extended {
        true => cursor.take(b':'),
        false => cursor.rest.first().is_some_and(u8::is_ascii_digit),
    };
    if has_second {
        second = cursor.digits(2)?;
        if cursor.take(b'.') || cursor.take(b',') {
            let fraction = cursor.rest.iter().take_while(|c| c.is_ascii_digit()).count();
            if fraction == 0 {
                return None;
            }
            cursor.rest = &cursor.rest[fraction..];
        }
    }
    let offset = if cursor.rest.is_empty() { 0 } else { cursor.zone()? };
    Some(days * 86_400 + time_of_day(hour, minute, second)? - offset)
}

fn time_of_day(hour: i64, minute: i64, second: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; nothing if there is no such day.
pub(crate) fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Counted in years from March, so that the leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era_days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(era_days + (153 * month + 2) / 5 + day - 1 - 719_468)
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn take(&mut self, expected: u8) -> bool {
        let found = self.rest.first() == Some(&expected);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// Exactly that many digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        let mut number = 0;
        for digit in digits {
            number = number * 10 + i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        }
        self.rest = rest;
        Some(number)
    }

    /// `Z`, ` UTC` or an offset, to the end; in seconds east of Greenwich.
    fn zone(&mut self) -> Option<i64> {
        self.take(b' ');
        match self.rest {
            b"Z" | b"z" | b"UTC" | b"GMT" => Some(0),
            [b'+' | b'-', ..] => self.offset().filter(|_| self.rest.is_empty()),
            _ => None,
        }
    }

    /// `+HH`, `+HHMM` or `+HH:MM`
    fn offset(&mut self) -> Option<i64> {
        let sign = if self.take(b'-') {
            -1
        } else {
            self.take(b'+');
            1
        };
        let hours = self.digits(2)?;
        let has_minutes = self.take(b':') || self.rest.first().is_some_and(u8::is_ascii_digit);
        let minutes = if has_minutes { self.digits(2)? } else { 0 };
        (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }

    fn one_or_two(&mut self, digits: Digits) -> Option<i64> {
        let two = self.rest.get(1).is_some_and(u8::is_ascii_digit);
        self.digits(if two || digits == Digits::Two { 2 } else { 1 })
    }

    fn month_name(&mut self, full: bool) -> Option<i64> {
        for (number, name) in (1..).zip(month_names(full)) {
            match self.rest.split_at_checked(name.len()) {
                Some((start, rest)) if start.eq_ignore_ascii_case(name.as_bytes()) => {
                    self.rest = rest;
                    return Some(number);
                }
                _ => {}
            }
        }
        None
    }
}

fn by_pattern(text: &str, pattern: &DatePattern) -> Option<i64> {
    let mut cursor = Cursor { rest: text.as_bytes() };
    let (mut year, mut month, mut day) = (0, 0, 0);
    let (mut hour, mut minute, mut second, mut offset) = (0, 0, 0, 0);
    let mut afternoon = None;
    for item in pattern.items() {
        match item {
            PatternItem::Year => year = cursor.digits(4)?,
            PatternItem::ShortYear => year = 2000 + cursor.digits(2)?,
            PatternItem::Month(digits) => month = cursor.one_or_two(*digits)?,
            PatternItem::MonthName { full } => month = cursor.month_name(*full)?,
            PatternItem::Day(digits) => day = cursor.one_or_two(*digits)?,
            PatternItem::Hour(digits) | PatternItem::Hour12(digits) => {
                hour = cursor.one_or_two(*digits)?;
            }
            PatternItem::Minute(digits) => minute = cursor.one_or_two(*digits)?,
            PatternItem::Second(digits) => second = cursor.one_or_two(*digits)?,
            PatternItem::AmPm => {
                let (letters, rest) = cursor.rest.split_at_checked(2)?;
                afternoon = Some(match letters.to_ascii_uppercase().as_slice() {
                    b"AM" => false,
                    b"PM" => true,
                    _ => return None,
                });
                cursor.rest = rest;
            }
            PatternItem::Fraction(count) => {
                cursor.digits(*count)?;
            }
            PatternItem::Offset => {
                offset = if cursor.take(b'Z') { 0 } else { cursor.offset()? };
            }
            PatternItem::Literal(literal) => {
                cursor.rest = cursor.rest.strip_prefix(literal.as_bytes())?;
            }
        }
    }
    if let Some(afternoon) = afternoon {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    if !cursor.rest.is_empty() {
        return None;
    }
    let days = days_since_epoch(year, month, day)?;
    Some(days * 86_400 + time_of_day(hour, minute, second)? - offset)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: i64 = 1_547_159_644; // 2019-01-10T22:34:04Z

    fn read(text: &str, format: &str) -> Result<i64, CellFault> {
        epoch_seconds(text, &format.parse().unwrap())
    }

    #[test]
    fn every_common_form_is_the_same_second() {
        for text in [
            "1547159644",
            "1547159644.9",
            "1.547159644E9",
            "1547159644123",
            "1547159644123456",
            "1547159644123456789",
            "2019-01-10T22:34:04Z",
            "2019-01-10t22:34:04.123z",
            "2019-01-10T22:34:04.123456789Z",
            "2019-01-10T22:34:04,5Z",
            "2019-01-11T07:34:04+09:00",
            "2019-01-11T07:34:04+0900",
            "2019-01-10T17:34:04-05",
            "2019-01-10 22:34:04",
            "2019-01-10 22:34:04.000",
            "2019-01-10 22:34:04 UTC",
            "2019-01-10 22:34:04+00",
            "20190110T223404Z",
        ] {
            assert_eq!(read(text, "auto"), Ok(T), "{text}");
        }
        assert_eq!(read("2019-01-10T22:34Z", "auto"), Ok(T - 4));
        assert_eq!(read("2019-01-10", "auto"), Ok(1_547_078_400));
        assert_eq!(read("-1", "auto"), Ok(-1));
        assert_eq!(read("0", "auto"), Ok(0));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "12:30",
            "2019-02-29",
            "2019-13-01",
            "2019-01-10T24:00:00Z",
            "2019-01-10T22:34:60Z",
            "2019-1-1",
            "2019-01-10T",
            "2019-01-10T22:34:04.Z",
            "2019-01-10T22:34:04+19:00",
            "2019-01-10T22:34:04+09:",
            "20190110T2234:04",
            "2019-01-10T22:34:04 Europe/Berlin",
            "2019-01-10x",
            "NaN",
        ] {
            assert_eq!(read(text, "auto"), Err(CellFault::NotATime), "{text}");
        }
        assert_eq!(read("1e300", "auto"), Err(CellFault::OutOfRange));
    }

    #[test]
    fn digits_that_are_a_date_are_not_guessed_at() {
        for text in ["20190110", "201901102234", "20190110223404", "20190110223404123"] {
            assert_eq!(read(text, "auto"), Err(CellFault::AmbiguousTime), "{text}");
        }
        assert_eq!(read("20191310", "auto"), Ok(20_191_310));
        assert_eq!(read("20190110", "yyyyMMdd"), Ok(1_547_078_400));
        assert_eq!(read("20190110", "seconds"), Ok(20_190_110));
    }

    #[test]
    fn a_given_unit_or_pattern_overrides_detection() {
        assert_eq!(read("1547159644", "milliseconds"), Ok(1_547_159));
        assert_eq!(read("1547159644123", "seconds"), Err(CellFault::OutOfRange));
        assert_eq!(read("2019-01-10", "seconds"), Err(CellFault::NotATime));
        assert_eq!(read("10/01/2019 22:34:04", "dd/MM/yyyy HH:mm:ss"), Ok(T));
        assert_eq!(read("1/10/19 10:34 PM", "M/d/yy h:mm a"), Ok(T - 4));
        assert_eq!(read("2019 10 may", "yyyy d MMMM"), Ok(1_557_446_400));
        assert_eq!(read("Jan 10, 2019 22:34:04 +0000", "MMM d, yyyy HH:mm:ss Z"), Ok(T));
        assert_eq!(read("2019-01-10T22:34:04.123Z", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"), Ok(T));
        assert_eq!(read("2019-01-10T22:34:04", "yyyy-MM-dd HH:mm:ss"), Err(CellFault::NotATime));
    }

    proptest! {
        #[test]
        fn the_common_form_is_read_as_any(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,9})?[Zz]?",
            place in any::<prop::sample::Index>(),
            byte in prop::option::of(0x20_u8..0x7f),
        ) {
            let mut text = text.into_bytes();
            if let Some(byte) = byte {
                let place = place.index(text.len());
                text[place] = byte;
            }
            prop_assert_eq!(iso_8601(&text), any_iso_8601(&text));
        }

        #[test]
        fn days_agree_with_another_calendar(year in 1_i16..=9999, month in 1_i8..=12, day in 1_i8..=31) {
            let date = jiff::civil::Date::new(year, month, day);
            let days = days_since_epoch(year.into(), month.into(), day.into());
            let epoch = jiff::civil::date(1970, 1, 1);
            let expected = date.ok().map(|date| i64::from((date - epoch).get_days()));
            prop_assert_eq!(days, expected);
        }

        #[test]
        fn instants_read_back(seconds in -60_000_000_000_i64..=250_000_000_000, nanos in 0..1_000_000_000_i32) {
            let instant = jiff::Timestamp::new(seconds, nanos).or_else(|_| jiff::Timestamp::new(seconds, 0));
            let Ok(instant) = instant else { return Ok(()) };
            let text = instant.to_string();
            prop_assert_eq!(iso_8601(text.as_bytes()), Some(seconds));
            prop_assert_eq!(any_iso_8601(text.as_bytes()), Some(seconds));
        }
    }
}
