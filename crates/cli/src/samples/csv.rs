//! Events as a shop's export writes them: CSV with a header.

use std::fmt::Write as _;
use std::path::Path;

use super::random::Random;
use super::{FIRST_EVENT, Moment};
use crate::output::write_file;

const RECORDS_OF_A_FILE: u64 = 100_000;
const NAMES: [&str; 5] =
    ["Tee, striped", "Mug \"\"Limited\"\"", "Café au lait", "Boots", "Backpack | navy"];

pub(crate) fn write(folder: &Path, records: u64, seed: u64) -> anyhow::Result<usize> {
    let mut random = Random::new(seed);
    let mut time = FIRST_EVENT;
    let mut files = 0;
    let mut left = records;
    while left > 0 {
        let mut text = "user_id,item_id,event_type,event_value,timestamp,product_name\n".to_owned();
        let here = left.min(RECORDS_OF_A_FILE);
        for _ in 0..here {
            let (user, item) = (1 + random.below(2000), 1 + random.popular(5000));
            let event = random.choice(&["view", "view", "view", "add_to_cart", "purchase"]);
            let value = match event {
                "purchase" => format!("{}.{:02}", random.below(200), random.below(100)),
                _ => String::new(),
            };
            let when = Moment::of(time).iso(0);
            let name = random.choice(&NAMES);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "u{user},i{item},{event},{value},{when},\"{name}\"");
            time += random.below(5);
        }
        left -= here;
        files += 1;
        write_file(&folder.join(format!("events-{files:04}.csv")), &text)?;
    }
    Ok(files)
}
