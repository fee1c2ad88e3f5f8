//! The zones that times were written in, by the names that Java has for them.

use chrono::{DateTime, NaiveDate, Offset as _, TimeZone as _};
use chrono_tz::Tz;

use super::fault::Fault;

/// 2015-01-01T00:00:00Z.
const BEGAN_2015: i64 = 1_420_070_400;

/// How far clocks are ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// By so many seconds at any time
    Fixed(i32),
    /// As people there decide
    Named(Tz),
}

impl Zone {
    pub(super) const UTC: Self = Self::Fixed(0);

    pub(super) fn of(name: &str) -> Result<Self, Fault> {
        match name.strip_prefix("Etc/").unwrap_or(name) {
            "" | "UTC" | "UCT" | "GMT" | "GMT0" | "Zulu" | "Universal" | "Greenwich" => {
                return Ok(Self::UTC);
            }
            _ => {}
        }
        // Of those behind `Etc/` the sign means the contrary.
        if let Some(seconds) = name.strip_prefix("GMT").and_then(fixed) {
            return Ok(Self::Fixed(seconds));
        }
        name.parse().map(Self::Named).map_err(|_| Fault::Zone(name.to_owned()))
    }

    /// When 2015 began there, in seconds since 1970.
    pub(super) fn began_2015(self) -> i64 {
        let began = NaiveDate::from_ymd_opt(2015, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
        match self {
            Self::Fixed(seconds) => BEGAN_2015 - i64::from(seconds),
            Self::Named(zone) => began
                .and_then(|began| zone.from_local_datetime(&began).earliest())
                .map_or(BEGAN_2015, |began| began.timestamp()),
        }
    }

    /// By how many seconds clocks are ahead. Of years with more than five digits nothing is known;
    /// those are no times that Personalize could use.
    pub(super) fn offset(self, seconds: i128) -> i32 {
        let time = || DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0);
        match self {
            Self::Fixed(seconds) => seconds,
            Self::Named(zone) => time().map_or(0, |time| {
                zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc()
            }),
        }
    }
}

/// Of `+8`, `-05:30` or `+0530`, in seconds.
fn fixed(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "00"),
    };
    let number = |digits: &str| {
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse::<i32>().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * 60 * (60 * hours + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_has_many_names() {
        for name in ["", "UTC", "GMT", "Etc/UTC", "Zulu", "Etc/Greenwich", "GMT+00:00", "GMT0"] {
            assert_eq!(Zone::of(name).unwrap(), Zone::UTC, "{name}");
        }
    }

    #[test]
    fn zones_are_fixed_or_named() {
        let hours = |name| match Zone::of(name).unwrap() {
            Zone::Fixed(seconds) => f64::from(seconds) / 3600.0,
            Zone::Named(zone) => panic!("{zone} is named"),
        };
        assert_eq!(hours("GMT+08:00"), 8.0);
        assert_eq!(hours("GMT-5"), -5.0);
        assert_eq!(hours("GMT+0530"), 5.5);
        assert_eq!(Zone::of("Europe/Berlin").unwrap(), Zone::Named(Tz::Europe__Berlin));
        assert_eq!(Zone::of("Etc/GMT+8").unwrap().offset(0), -8 * 3600);
        for name in
            ["Mars/Base", "GMT+24", "GMT+1:60", "GMT+", "GMT+:30", "GMT+é", "GMT+-5", "GMT+12345"]
        {
            assert!(matches!(Zone::of(name), Err(Fault::Zone(of)) if of == name), "{name}");
        }
    }

    #[test]
    fn years_begin_where_people_are() {
        assert_eq!(Zone::UTC.began_2015(), BEGAN_2015);
        assert_eq!(Zone::of("GMT+08:00").unwrap().began_2015(), BEGAN_2015 - 8 * 3600);
        let berlin = Zone::of("Europe/Berlin").unwrap();
        assert_eq!(berlin.began_2015(), BEGAN_2015 - 3600);
        let (winter, summer) = (BEGAN_2015.into(), i128::from(BEGAN_2015) + 181 * 86_400);
        assert_eq!((berlin.offset(winter), berlin.offset(summer)), (3600, 7200));
        assert_eq!(berlin.offset(i128::MAX), 0);
    }
}
