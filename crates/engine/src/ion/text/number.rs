//! Numbers as Ion writes them.

use std::borrow::Cow;

use crate::ion::number;
use crate::json::write;

pub(super) fn write_number(out: &mut String, token: &str) -> Option<()> {
    let negative = token.starts_with('-');
    let unsigned = token.strip_prefix('-').unwrap_or(token);
    let radix = match unsigned.as_bytes() {
        [b'0', b'b' | b'B', ..] => Some(1),
        [b'0', b'x' | b'X', ..] => Some(4),
        _ => None,
    };
    if let Some(bits) = radix {
        let digits = without_underscores(&unsigned[2..], u8::is_ascii_hexdigit)?;
        number::integer(out, negative, &number::magnitude(digits.as_bytes(), bits)?);
        return Some(());
    }
    let exponent_at = unsigned.find(['e', 'E', 'd', 'D']);
    let (mantissa, exponent) = match exponent_at {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole = without_underscores(whole, u8::is_ascii_digit)?;
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    // Nothing has to stand behind the point.
    let fraction = match fraction {
        None | Some("") => Cow::Borrowed(""),
        Some(fraction) => without_underscores(fraction, u8::is_ascii_digit)?,
    };
    let power = exponent.map_or(Some(0), whole_exponent)?;
    if exponent_at.is_some_and(|at| matches!(unsigned.as_bytes()[at], b'e' | b'E')) {
        let float: f64 = format!("{whole}.{fraction}0e{power}").parse().ok()?;
        write::double(out, if negative { -float } else { float });
    } else {
        let digits = if fraction.is_empty() { whole } else { whole + fraction.as_ref() };
        write::decimal(out, negative, &digits, power.saturating_sub(fraction.len() as i64));
    }
    Some(())
}

/// The digits of a number; none if there are none, or underscores not between two.
fn without_underscores(text: &str, is_digit: fn(&u8) -> bool) -> Option<Cow<'_, str>> {
    if text.bytes().all(|c| is_digit(&c)) {
        return (!text.is_empty()).then_some(Cow::Borrowed(text));
    }
    let well_formed =
        text.split('_').all(|part| !part.is_empty() && part.bytes().all(|c| is_digit(&c)));
    well_formed.then(|| Cow::Owned(text.replace('_', "")))
}

/// An exponent; one too large to matter is cut.
fn whole_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse().unwrap_or(i64::MAX);
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(token: &str) -> Option<String> {
        let mut out = String::new();
        write_number(&mut out, token).map(|()| out)
    }

    #[test]
    fn every_notation_is_a_json_number() {
        for (token, expected) in [
            ("0", "0"),
            ("-0", "-0"),
            ("1_000", "1000"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("0xFF_ff", "65535"),
            ("-0b1_01", "-5"),
            ("1.50", "1.50"),
            ("1.", "1"),
            ("1_0.0_1", "10.01"),
            ("1.5d2", "150"),
            ("15D-1", "1.5"),
            ("-1.d+1", "-10"),
            ("1d1000000000", "1e1000000000"),
            ("1d-99999999999999999999", "1e-9223372036854775807"),
            ("1.5e0", "1.5"),
            ("1.E3", "1000.0"),
            ("-0e0", "-0.0"),
            ("1e999", "\"Infinity\""),
            ("-1e999", "\"-Infinity\""),
            ("0.1e0", "0.1"),
        ] {
            assert_eq!(json(token).as_deref(), Some(expected), "{token}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for token in [
            "", "-", "01", "-01", "00", "1__0", "_1", "1_", "1_.5", "1._5", ".5", "1e", "1e+",
            "1d_1", "1e1_0", "0x", "0xg", "0b2", "0b", "0x_1", "1x", "1.2.3", "1e2e3", "--1", "1é",
            "1.5f",
        ] {
            assert_eq!(json(token), None, "{token}");
        }
    }
}
