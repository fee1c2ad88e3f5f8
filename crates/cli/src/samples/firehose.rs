//! Events as Firehose delivers them: objects run together, in year/month/day/hour folders.

use std::fmt::Write as _;
use std::path::Path;

use super::random::Random;
use super::{FIRST_EVENT, Moment};
use crate::output::write_file;

const EVENT_TYPES: [&str; 6] = ["click", "click", "click", "view", "add_to_cart", "purchase"];
/// Firehose closes a file after some minutes.
const SECONDS_OF_A_FILE: u64 = 900;

pub(crate) fn write(folder: &Path, records: u64, seed: u64) -> anyhow::Result<usize> {
    let mut random = Random::new(seed);
    let mut time = FIRST_EVENT;
    let mut files = 0;
    let mut left = records;
    while left > 0 {
        let file_start = time / SECONDS_OF_A_FILE * SECONDS_OF_A_FILE;
        let moment = Moment::of(time);
        let mut text = String::new();
        while left > 0 && time < file_start + SECONDS_OF_A_FILE {
            let item = 1 + random.popular(5000);
            write_event(&mut text, &mut random, item, time);
            time += random.below(3);
            left -= 1;
        }
        let Moment { year, month, day, hour, minute, second } = moment;
        let name = format!(
            "useritem/{year:04}/{month:02}/{day:02}/{hour:02}/clicks-1-{}-{hour:02}-{minute:02}-{second:02}-{}",
            moment.date(),
            random.hex(12)
        );
        write_file(&folder.join(name), &text)?;
        files += 1;
    }
    Ok(files)
}

fn write_event(text: &mut String, random: &mut Random, item: u64, time: u64) {
    let user = 1 + random.below(2000);
    let event = random.choice(&EVENT_TYPES);
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        r#"{{"type": "useritem", "ITEM_ID": {item}, "USER_ID": {user}, "EVENT_TYPE": "{event}", "EVENT_VALUE": {item}, "TIMESTAMP": {time}}}"#
    );
}
