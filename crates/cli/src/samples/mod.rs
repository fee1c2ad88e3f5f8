//! Sample data: the same bytes for the same seed.

mod csv;
mod firehose;
mod random;
mod segment;

use std::path::Path;

use crate::arguments::SampleKind;

/// The first event's time: 2024-01-31 07:20:44 UTC.
const FIRST_EVENT: u64 = 1_706_685_644;

/// Writes that many records into the folder and gives the number of files.
pub(crate) fn write(
    kind: SampleKind,
    folder: &Path,
    records: u64,
    seed: u64,
) -> anyhow::Result<usize> {
    match kind {
        SampleKind::Firehose => firehose::write(folder, records, seed),
        SampleKind::Segment => segment::write(folder, records, seed),
        SampleKind::Csv => csv::write(folder, records, seed),
    }
}

/// An epoch second's parts in UTC.
struct Moment {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Moment {
    /// Counts on from 2024-01-01, which is all that samples need.
    fn of(epoch_seconds: u64) -> Self {
        const YEAR_2024: u64 = 1_704_067_200;
        let mut days = (epoch_seconds - YEAR_2024) / 86_400;
        let (mut year, mut month) = (2024, 1);
        loop {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                4 | 6 | 9 | 11 => 30,
                2 => 28 + u64::from(leap),
                _ => 31,
            };
            if days < length {
                break;
            }
            days -= length;
            month += 1;
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        let in_day = epoch_seconds % 86_400;
        Self {
            year,
            month,
            day: days + 1,
            hour: in_day / 3600,
            minute: in_day / 60 % 60,
            second: in_day % 60,
        }
    }

    fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// ISO 8601 with milliseconds, as Segment writes it.
    fn iso(&self, milliseconds: u64) -> String {
        let Self { hour, minute, second, .. } = self;
        format!("{}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z", self.date())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_of_the_calendar() {
        assert_eq!(Moment::of(FIRST_EVENT).iso(7), "2024-01-31T07:20:44.007Z");
        assert_eq!(Moment::of(1_709_164_800).date(), "2024-02-29");
        assert_eq!(Moment::of(1_735_689_600).date(), "2025-01-01");
    }
}
