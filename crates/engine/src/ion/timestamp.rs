//! Timestamps: checked, and written as RFC 3339 does it.

use std::fmt::Write as _;

use super::Fault;
use super::binary::Body;
use crate::calendar::Date;
use crate::convert::days_since_epoch;

const FAULT: &str = "a timestamp is malformed";
/// Digits of a second's fraction; more would only be zeros that a few bytes ask for.
const MOST_DIGITS: usize = 64;

/// Appends what the body of a binary timestamp is: its time is in UTC, and shown in its offset.
pub(super) fn write_binary(out: &mut String, body: &[u8]) -> Result<(), Fault> {
    let mut body = Body { rest: body };
    let (unknown, offset) = body.signed()?;
    let year = body.unsigned()?;
    let mut part = |least: i64| -> Result<i64, Fault> {
        if body.rest.is_empty() {
            return Ok(least);
        }
        i64::try_from(body.unsigned()?).map_err(|_| FAULT.into())
    };
    let (month, day) = (part(1)?, part(1)?);
    let year = i64::try_from(year).ok().filter(|year| (1..=9999).contains(year)).ok_or(FAULT)?;
    let days = days_since_epoch(year, month, day).ok_or(FAULT)?;
    if body.rest.is_empty() {
        let _ = write!(out, "\"{year:04}-{month:02}-{day:02}\"");
        return Ok(());
    }
    let (hour, minute) = (body.unsigned()?, body.unsigned()?);
    if hour > 23 || minute > 59 || offset.unsigned_abs() >= 24 * 60 {
        return Err(FAULT.into());
    }
    let minutes = days * 1440 + (hour * 60 + minute) as i64 + offset;
    let Date { year, month, day } =
        Date::since_epoch(minutes.div_euclid(1440)).filter(|date| date.year > 0).ok_or(FAULT)?;
    let (hour, minute) = (minutes.rem_euclid(1440) / 60, minutes.rem_euclid(60));
    let _ = write!(out, "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}");
    if !body.rest.is_empty() {
        let second = body.unsigned()?;
        if second > 59 {
            return Err(FAULT.into());
        }
        let _ = write!(out, ":{second:02}");
        write_fraction(out, &mut body)?;
    }
    if unknown || offset == 0 {
        out.push_str("Z\"");
    } else {
        let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.abs());
        let _ = write!(out, "{sign}{:02}:{:02}\"", offset / 60, offset % 60);
    }
    Ok(())
}

/// Appends the fraction of a second, which is a decimal number from zero to below one.
fn write_fraction(out: &mut String, body: &mut Body<'_>) -> Result<(), Fault> {
    if body.rest.is_empty() {
        return Ok(());
    }
    let (_, exponent) = body.signed()?;
    let mut coefficient = 0_u128;
    if let [first, rest @ ..] = body.rest {
        if body.rest.len() > size_of::<u128>() {
            return Err(FAULT.into());
        }
        coefficient = rest
            .iter()
            .fold(u128::from(first & 0x7f), |value, byte| value << 8 | u128::from(*byte));
        if first & 0x80 != 0 && coefficient != 0 {
            return Err(FAULT.into());
        }
    }
    // Zero may have any exponent; it then says nothing.
    if exponent >= 0 {
        return if coefficient == 0 { Ok(()) } else { Err(FAULT.into()) };
    }
    let width = usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX);
    if width > MOST_DIGITS {
        return Err("a timestamp's fraction has more than 64 digits".into());
    }
    let digits = format!("{coefficient:0width$}");
    if digits.len() > width {
        return Err(FAULT.into());
    }
    let _ = write!(out, ".{digits}");
    Ok(())
}

/// Appends a timestamp of Ion text.
pub(super) fn write_text(out: &mut String, text: &str) -> Result<(), Fault> {
    out.push('"');
    let rest = write_date(out, text).ok_or(FAULT)?;
    if !rest.is_empty() {
        write_time(out, rest).ok_or(FAULT)?;
    }
    out.push('"');
    Ok(())
}

/// Appends the date; gives what follows, which begins with the `T` if it is a time.
fn write_date<'a>(out: &mut String, text: &'a str) -> Option<&'a str> {
    let (year, rest) = number(text, 4)?;
    let (mut month, mut day) = (1, 1);
    let rest = if let Some(rest) = rest.strip_prefix('-') {
        let after_month;
        (month, after_month) = number(rest, 2)?;
        match after_month.strip_prefix('-') {
            Some(rest) => {
                let after_day;
                (day, after_day) = number(rest, 2)?;
                if after_day == "T" { "" } else { after_day }
            }
            None => after_month.strip_prefix('T').filter(|rest| rest.is_empty())?,
        }
    } else {
        rest.strip_prefix('T').filter(|rest| rest.is_empty())?
    };
    days_since_epoch(year, month, day).filter(|_| year > 0)?;
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
    Some(rest)
}

/// Appends `Thh:mm`, perhaps seconds and their fraction, and the offset.
fn write_time(out: &mut String, text: &str) -> Option<()> {
    let below = |number: (i64, _), most| (number.0 < most).then_some(number.1);
    let rest = below(number(text.strip_prefix('T')?, 2)?, 24)?;
    let mut rest = below(number(rest.strip_prefix(':')?, 2)?, 60)?;
    if let Some(seconds) = rest.strip_prefix(':') {
        rest = below(number(seconds, 2)?, 60)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == fraction.len() {
                return None;
            }
        }
    }
    out.push_str(&text[..text.len() - rest.len()]);
    if rest != "Z" {
        let offset = rest.strip_prefix(['+', '-'])?;
        let minutes = below(number(offset, 2)?, 24)?.strip_prefix(':')?;
        below(number(minutes, 2)?, 60).filter(|rest| rest.is_empty())?;
    }
    out.push_str(if matches!(rest, "-00:00" | "+00:00") { "Z" } else { rest });
    Some(())
}

/// A number of exactly so many digits, and what follows.
fn number(text: &str, digits: usize) -> Option<(i64, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    number.bytes().all(|c| c.is_ascii_digit()).then(|| number.parse().ok())?.map(|n| (n, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        let mut out = String::new();
        write_text(&mut out, text).ok().map(|()| out)
    }

    fn binary(body: &[u8]) -> Option<String> {
        let mut out = String::new();
        write_binary(&mut out, body).ok().map(|()| out)
    }

    #[test]
    fn every_precision_is_a_date_or_a_time() {
        for (timestamp, expected) in [
            ("2024T", "2024-01-01"),
            ("2024-03T", "2024-03-01"),
            ("2024-02-29", "2024-02-29"),
            ("2024-02-29T", "2024-02-29"),
            ("2024-02-29T12:30Z", "2024-02-29T12:30Z"),
            ("2024-02-29T12:30:59-00:00", "2024-02-29T12:30:59Z"),
            ("2024-02-29T12:30:59+00:00", "2024-02-29T12:30:59Z"),
            ("2007-02-23T12:14:33.079-08:00", "2007-02-23T12:14:33.079-08:00"),
            ("0001-01-01T00:00:00.0Z", "0001-01-01T00:00:00.0Z"),
        ] {
            assert_eq!(text(timestamp).unwrap(), format!("\"{expected}\""));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for timestamp in [
            "2024",
            "2024-1T",
            "2024-01",
            "2023-02-29",
            "0000T",
            "2024-13T",
            "2024-01-01T24:00Z",
            "2024-01-01T12:60Z",
            "2024-01-01T12:30",
            "2024-01-01T12:30:60Z",
            "2024-01-01T12:30:00.Z",
            "2024-01-01T12Z",
            "2024-01-01T12:30+24:00",
            "2024-01-01T12:30+0100",
            "2024-01-01T12:30+01:00x",
            "2024-01-01T12:30:00.é",
            "2024é-01",
        ] {
            assert_eq!(text(timestamp), None, "{timestamp}");
        }
    }

    #[test]
    fn binary_times_are_shown_in_their_offset() {
        let two = [0x0f, 0xe8];
        let date = |rest: &[u8]| [&[0xc0], &two[..], rest].concat();
        assert_eq!(binary(&date(&[])).unwrap(), "\"2024-01-01\"");
        assert_eq!(binary(&date(&[0x83])).unwrap(), "\"2024-03-01\"");
        assert_eq!(binary(&date(&[0x82, 0x9d])).unwrap(), "\"2024-02-29\"");
        assert_eq!(binary(&date(&[0x82, 0x9e])), None);
        let time = date(&[0x82, 0x9d, 0x97, 0xbb]);
        assert_eq!(binary(&time).unwrap(), "\"2024-02-29T23:59Z\"");
        assert_eq!(binary(&date(&[0x82, 0x9d, 0x97])), None);
        // Offsets of -8 hours and +1 minute, which goes over midnight.
        let west = [&[0x43, 0xe0][..], &time[1..]].concat();
        assert_eq!(binary(&west).unwrap(), "\"2024-02-29T15:59-08:00\"");
        let east = [&[0x81][..], &time[1..]].concat();
        assert_eq!(binary(&east).unwrap(), "\"2024-03-01T00:00+00:01\"");
    }

    #[test]
    fn a_fraction_is_below_one_and_not_long() {
        let fraction = |rest: &[u8]| {
            let time = [0xc0, 0x0f, 0xe8, 0x82, 0x9d, 0x97, 0xbb, 0x81];
            binary(&[&time[..], rest].concat())
        };
        assert_eq!(fraction(&[]).unwrap(), "\"2024-02-29T23:59:01Z\"");
        assert_eq!(fraction(&[0xc3, 0x4f]).unwrap(), "\"2024-02-29T23:59:01.079Z\"");
        assert_eq!(fraction(&[0xc3]).unwrap(), "\"2024-02-29T23:59:01.000Z\"");
        assert_eq!(fraction(&[0x80]).unwrap(), "\"2024-02-29T23:59:01Z\"");
        assert_eq!(fraction(&[0x80, 1]), None);
        assert_eq!(fraction(&[0xc1, 10]), None);
        assert_eq!(fraction(&[0xc1, 0x81]), None);
        assert_eq!(fraction(&[0x7f, 0x7f, 0x7f, 0xff, 1]), None);
    }
}
