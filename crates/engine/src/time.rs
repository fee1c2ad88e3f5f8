//! Typed times: seconds since 1970-01-01 UTC, and as text.

use std::fmt::Write as _;

use crate::calendar::Date;

/// A time as a typed column holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time {
    /// Since 1970-01-01 UTC, rounded down
    pub(crate) seconds: i64,
    pub(crate) microseconds: u32,
    /// Without a time of day
    pub(crate) is_date: bool,
}

impl Time {
    pub(crate) fn from_days(days: i64) -> Self {
        Self { seconds: days.saturating_mul(86_400), microseconds: 0, is_date: true }
    }

    /// A count of units, of which there are `per_second`; a power of ten.
    pub(crate) fn from_units(count: i64, per_second: i64) -> Self {
        let rest = count.rem_euclid(per_second);
        let microseconds =
            rest * (1_000_000 / per_second.min(1_000_000)) / (per_second / 1_000_000).max(1);
        Self {
            seconds: count.div_euclid(per_second),
            microseconds: u32::try_from(microseconds).unwrap_or_default(),
            is_date: false,
        }
    }

    pub(crate) fn from_nanoseconds(count: i128) -> Self {
        let seconds = count.div_euclid(1_000_000_000).clamp(i64::MIN.into(), i64::MAX.into());
        let microseconds = count.rem_euclid(1_000_000_000) / 1000;
        Self {
            seconds: seconds as i64,
            microseconds: u32::try_from(microseconds).unwrap_or_default(),
            is_date: false,
        }
    }

    /// Appends `YYYY-MM-DD`, or `YYYY-MM-DD HH:MM:SS` and what there is of a fraction, as Spark
    /// writes dates and timestamps.
    pub(crate) fn write(&self, out: &mut String) {
        let Date { year, month, day } = Date::of_day(self.seconds.div_euclid(86_400));
        let sign = match year {
            10_000.. => "+",
            ..=-1 => "-",
            _ => "",
        };
        let _ = write!(out, "{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs());
        if self.is_date {
            return;
        }
        let time = self.seconds.rem_euclid(86_400);
        let _ = write!(out, " {:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60);
        if self.microseconds > 0 {
            let fraction = format!("{:06}", self.microseconds);
            let _ = write!(out, ".{}", fraction.trim_end_matches('0'));
        }
    }
}

/// Appends a time of day, `HH:MM:SS` and what there is of a fraction; a count of units, of which
/// there are `per_second`.
pub(crate) fn push_time_of_day(out: &mut String, count: i64, per_second: i64) {
    let mut text = String::new();
    Time::from_units(count, per_second).write(&mut text);
    out.push_str(text.split_once(' ').map_or("", |(_, time)| time));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(time: Time) -> String {
        let mut out = String::new();
        time.write(&mut out);
        out
    }

    #[test]
    fn units_are_rounded_down() {
        assert_eq!(text(Time::from_units(1_547_159_644_123, 1000)), "2019-01-10 22:34:04.123");
        assert_eq!(text(Time::from_units(-1, 1_000_000_000)), "1969-12-31 23:59:59.999999");
        assert_eq!(text(Time::from_units(5, 1)), "1970-01-01 00:00:05");
        assert_eq!(text(Time::from_units(1_500_000, 1_000_000)), "1970-01-01 00:00:01.5");
        assert_eq!(text(Time::from_nanoseconds(-1)), "1969-12-31 23:59:59.999999");
        assert_eq!(text(Time::from_days(-1)), "1969-12-31");
        assert_eq!(text(Time::from_days(2_932_897)), "+10000-01-01");
    }

    proptest! {
        #[test]
        fn dates_agree_with_another_calendar(days in -719_162_i64..=2_932_896) {
            let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(days);
            prop_assert_eq!(text(Time::from_days(days)), date.to_string());
        }
    }
}
