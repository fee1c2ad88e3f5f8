//! The Gregorian calendar: dates and times as text.

use std::fmt::Write as _;

pub(crate) const DAY_MILLISECONDS: i64 = 86_400_000;

/// A day of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

impl Date {
    /// The day that many days after 1970-01-01, or nothing if its year has not four digits.
    pub(crate) fn since_epoch(days: i64) -> Option<Self> {
        Some(Self::of_day(days)).filter(|date| (0..=9999).contains(&date.year))
    }

    /// The day that many days after 1970-01-01.
    pub(crate) fn of_day(days: i64) -> Self {
        // Years are counted from March, so that the leap day comes last, and in eras of 400, which
        // are all of the same length.
        let days = days.saturating_add(719_468);
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let january = month >= 10;
        let year = era * 400 + year_of_era + i64::from(january);
        let month = if january { month - 9 } else { month + 3 };
        Self { year, month: month as u8, day: day as u8 }
    }
}

/// Appends a time in milliseconds since 1970-01-01 UTC as RFC 3339 writes it; false if its year has
/// not four digits.
pub(crate) fn write_milliseconds(out: &mut String, time: i64) -> bool {
    let Some(Date { year, month, day }) = Date::since_epoch(time.div_euclid(DAY_MILLISECONDS))
    else {
        return false;
    };
    let rest = time.rem_euclid(DAY_MILLISECONDS);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, millisecond) = (rest / 1000 % 60, rest % 1000);
    let date = format_args!("{year:04}-{month:02}-{day:02}");
    let _ = write!(out, "{date}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z");
    true
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::convert::days_since_epoch;

    fn written(time: i64) -> Option<String> {
        let mut out = String::new();
        write_milliseconds(&mut out, time).then_some(out)
    }

    #[test]
    fn years_have_four_digits() {
        assert_eq!(written(0).unwrap(), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(-1).unwrap(), "1969-12-31T23:59:59.999Z");
        assert_eq!(written(-62_167_219_200_000).unwrap(), "0000-01-01T00:00:00.000Z");
        assert_eq!(written(253_402_300_799_999).unwrap(), "9999-12-31T23:59:59.999Z");
        for outside in [-62_167_219_200_001, 253_402_300_800_000, i64::MIN, i64::MAX] {
            assert_eq!(written(outside), None);
        }
        assert_eq!(Date::since_epoch(i64::MAX), None);
    }

    proptest! {
        #[test]
        fn times_are_those_of_another_library(time in -62_135_596_800_000_i64..253_402_207_200_000) {
            let expected = Timestamp::from_millisecond(time).unwrap();
            prop_assert_eq!(written(time).unwrap(), format!("{expected:.3}"));
        }

        #[test]
        fn days_come_back(days in -719_528_i64..2_932_896) {
            let Date { year, month, day } = Date::since_epoch(days).unwrap();
            prop_assert_eq!(days_since_epoch(year, month.into(), day.into()), Some(days));
        }
    }
}
