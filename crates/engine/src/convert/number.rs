//! Numbers as plain decimal text: every digit kept, no exponent, no trailing zeros.

use std::borrow::Cow;

/// Digits that a number may have written out; more than any float's range needs.
const MAX_DIGITS: i64 = 400;

/// A decimal number: `digits` with the decimal point behind the first `point` of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal<'a> {
    pub(crate) negative: bool,
    /// Without leading zeros of the whole part; never empty
    whole: Cow<'a, str>,
    /// Without trailing zeros; empty for a whole number
    fraction: Cow<'a, str>,
}

/// A text that is a number is too large to be written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl<'a> Decimal<'a> {
    /// Reads `[+-]digits[.digits][e[+-]digits]`, where either side of the point may be empty.
    /// Nothing if the text is no number.
    pub(crate) fn parse(text: &'a str) -> Option<Result<Self, TooLarge>> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if !matches!(unsigned.as_bytes().first()?, b'0'..=b'9' | b'.') {
            return None;
        }
        let (mantissa, exponent) = match memchr::memchr2(b'e', b'E', unsigned.as_bytes()) {
            Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..])?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        Some(Self::new(negative, whole, fraction, exponent))
    }

    fn new(
        negative: bool,
        whole: &'a str,
        fraction: &'a str,
        exponent: i64,
    ) -> Result<Self, TooLarge> {
        let (mut whole, mut fraction) = (Cow::Borrowed(whole), Cow::Borrowed(fraction));
        if exponent != 0 {
            let digits = format!("{whole}{fraction}");
            let zero = digits.bytes().all(|c| c == b'0');
            let point = if zero { 0 } else { whole.len() as i64 + exponent };
            let leading = digits.len() - digits.trim_start_matches('0').len();
            if point - leading as i64 > MAX_DIGITS {
                return Err(TooLarge);
            }
            if point < -MAX_DIGITS {
                (whole, fraction) = (Cow::Borrowed("0"), Cow::Borrowed(""));
            } else if point <= 0 {
                let zeros = "0".repeat(point.unsigned_abs() as usize);
                (whole, fraction) = (Cow::Borrowed("0"), Cow::Owned(format!("{zeros}{digits}")));
            } else {
                let point = point as usize;
                let padded = format!("{digits:0<point$}");
                whole = Cow::Owned(padded[..point].to_owned());
                fraction = Cow::Owned(padded[point..].to_owned());
            }
        }
        let whole = trimmed(whole, |text| text.trim_start_matches('0'));
        let fraction = trimmed(fraction, |text| text.trim_end_matches('0'));
        let whole = if whole.is_empty() { Cow::Borrowed("0") } else { whole };
        let zero = whole == "0" && fraction.is_empty();
        Ok(Self { negative: negative && !zero, whole, fraction })
    }

    /// Whether there is nothing behind the point.
    pub(crate) fn is_whole(&self) -> bool {
        self.fraction.is_empty()
    }

    /// How many digits stand before the point.
    pub(crate) fn whole_digits(&self) -> usize {
        self.whole.len()
    }

    /// The number as text.
    pub(crate) fn write(&self, out: &mut String) {
        if self.negative {
            out.push('-');
        }
        out.push_str(&self.whole);
        if !self.is_whole() {
            out.push('.');
            out.push_str(&self.fraction);
        }
    }

    /// The number divided by a power of ten and rounded down; nothing if it is out of range.
    pub(crate) fn floor_shifted(&self, decimal_places: usize) -> Option<i64> {
        let keep = self.whole.len().saturating_sub(decimal_places);
        let (whole, rest) = self.whole.split_at(keep);
        let magnitude: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let has_rest = !self.is_whole() || rest.bytes().any(|c| c != b'0');
        let floor = match self.negative {
            true => -magnitude - i128::from(has_rest),
            false => magnitude,
        };
        i64::try_from(floor).ok()
    }
}

fn trimmed<'a>(text: Cow<'a, str>, trim: fn(&str) -> &str) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
    }
}

/// An exponent; one too large to matter is cut.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse().unwrap_or(i64::from(u32::MAX)).min(i64::from(u32::MAX));
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Whether the text is a whole number just as [`Decimal::write`] would write it.
pub(crate) fn is_plain_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    match digits.as_bytes() {
        [] => false,
        [b'0', ..] => text == "0",
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Option<String> {
        let mut out = String::new();
        Decimal::parse(text)?.ok()?.write(&mut out);
        Some(out)
    }

    #[test]
    fn numbers_keep_every_digit_and_lose_the_exponent() {
        for (text, expected) in [
            ("35", "35"),
            ("35.0", "35"),
            ("3.5e1", "35"),
            ("7.10", "7.1"),
            ("1e-7", "0.0000001"),
            ("1.5E+10", "15000000000"),
            ("1234567890123456789012345", "1234567890123456789012345"),
            ("12345678901234567890.000000000000000001", "12345678901234567890.000000000000000001"),
            ("-0", "0"),
            ("-0.0e5", "0"),
            ("+5", "5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("007", "7"),
            ("-12.5e-1", "-1.25"),
            ("0e999999999999999999999", "0"),
            ("1e-999999999999999999999", "0"),
        ] {
            assert_eq!(plain(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in
            ["", "-", "+", ".", "e5", "1e", "1e+", "1.2.3", "NaN", "inf", "1_000", "0x10", "١"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse("1e999999999"), Some(Err(TooLarge)));
        assert_eq!(plain(&format!("0.{}1e450", "0".repeat(449))).as_deref(), Some("1"));
    }

    #[test]
    fn shifting_rounds_down_on_both_sides_of_zero() {
        let shifted =
            |text: &str, places| Decimal::parse(text).unwrap().unwrap().floor_shifted(places);
        assert_eq!(shifted("1547159644123", 3), Some(1_547_159_644));
        assert_eq!(shifted("1547159644.999", 0), Some(1_547_159_644));
        assert_eq!(shifted("-1", 3), Some(-1));
        assert_eq!(shifted("-1000", 3), Some(-1));
        assert_eq!(shifted("-0.5", 0), Some(-1));
        assert_eq!(shifted("999", 3), Some(0));
        assert_eq!(shifted("99999999999999999999", 0), None);
    }
}
