//! Messages as Segment stores them in S3: `track` and `identify`, gzipped, in
//! segment-logs/source/day folders, the day in epoch milliseconds.

use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use serde_json::{Map, Value, json};

use super::random::Random;
use super::{FIRST_EVENT, Moment};
use crate::output::PendingFile;

const SOURCES: [&str; 2] = ["web2LqKXkqWs", "ios8nYv3TgQd"];
const RECORDS_OF_A_FILE: u64 = 2000;
const DAY: u64 = 86_400;
const EVENTS: [&str; 10] = [
    "Product Clicked",
    "Product Clicked",
    "Product Clicked",
    "Product Added",
    "Product Added",
    "Order Completed",
    "Page Viewed",
    "Page Viewed",
    "Email Opened",
    "Signup Success",
];
const ADJECTIVES: [&str; 8] =
    ["classic", "retro", "suede", "striped", "navy", "olive", "leather", "casual"];
const NOUNS: [&str; 8] =
    ["backpack", "sneaker", "jacket", "shirt", "hoodie", "boot", "coat", "socks"];
/// Identifiers that careless converters break on.
const ODD_SKUS: [&str; 6] = [
    "mug, large (2-pack)",
    "tee \"limited\" ed.",
    "back\\slash-cap",
    "a|b-pack",
    "café-crème",
    "テスト-靴",
];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_2) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
];

pub(crate) fn write(folder: &Path, records: u64, seed: u64) -> anyhow::Result<usize> {
    let mut random = Random::new(seed);
    let mut milliseconds = FIRST_EVENT * 1000;
    let mut files = 0;
    let mut left = records;
    while left > 0 {
        let source = SOURCES[files % SOURCES.len()];
        let day = milliseconds / 1000 / DAY * DAY * 1000;
        let name = format!("segment-logs/{source}/{day}/{}.{files}.gz", random.hex(16));
        let mut file = PendingFile::create(&folder.join(name))?;
        // Without a time in its header the same content gives the same bytes.
        let mut gzip = GzBuilder::new().mtime(0).write(&mut file, Compression::default());
        for _ in 0..left.min(RECORDS_OF_A_FILE) {
            serde_json::to_writer(&mut gzip, &message(&mut random, milliseconds))?;
            gzip.write_all(b"\n")?;
            milliseconds += random.below(20_000);
            left -= 1;
        }
        gzip.finish()?;
        file.complete().publish()?;
        files += 1;
    }
    Ok(files)
}

fn message(random: &mut Random, milliseconds: u64) -> Value {
    let at = |shift: u64| {
        let time = milliseconds + shift;
        Moment::of(time / 1000).iso(time % 1000)
    };
    let identify = random.per_mille(80);
    let mut message = json!({
        "anonymousId": random.hex(32),
        "channel": "client",
        "context": context(random),
        "integrations": {},
        "messageId": format!("ajs-{}", random.hex(32)),
        "originalTimestamp": at(0),
        "projectId": "2LqKXkqWsP",
        "receivedAt": at(155),
        "sentAt": at(30),
        "timestamp": at(35),
        "type": if identify { "identify" } else { "track" },
        "version": 2,
        "writeKey": "hKx2vQ9LmT4sR7bN",
    });
    let Some(fields) = message.as_object_mut() else {
        return message;
    };
    match random.below(100) {
        0..3 => {}
        3..5 => drop(fields.insert("userId".into(), Value::Null)),
        _ => drop(fields.insert("userId".into(), user_id(random))),
    }
    if identify {
        let traits = json!({ "plan": random.choice(&["free", "pro"]), "First Name": "Ada" });
        fields.insert("traits".into(), traits);
    } else {
        let event = random.choice(&EVENTS);
        fields.insert("event".into(), event.into());
        fields.insert("properties".into(), properties(random, event));
    }
    message
}

fn user_id(random: &mut Random) -> Value {
    // Some identifiers are longer than any integer type.
    if random.per_mille(5) {
        return format!("1234567890123456{:09}", random.below(1_000_000_000)).into();
    }
    (1_000_000 + random.below(5000)).to_string().into()
}

fn context(random: &mut Random) -> Value {
    let page = random.choice(&["home", "search", "category", "product", "cart"]);
    json!({
        "ip": format!("203.0.113.{}", random.below(256)),
        "library": { "name": "analytics.js", "version": "next-1.62.0" },
        "locale": random.choice(&["en-US", "de-DE", "ja-JP"]),
        "page": {
            "path": format!("/{page}"),
            "referrer": "https://www.example.com/",
            "search": format!("?utm_campaign=c{}", random.below(500)),
            "title": "Sale ❄ | Shop \"Outfitters\"",
            "url": format!("https://shop.example.com/{page}"),
        },
        "userAgent": random.choice(&AGENTS),
    })
}

fn properties(random: &mut Random, event: &str) -> Value {
    let mut properties = Map::new();
    if event == "Order Completed" {
        let count = 1 + random.below(4);
        let products: Vec<Value> = (0..count).map(|_| product(random)).collect();
        properties.insert("order_id".into(), random.hex(8).into());
        // Single-product orders carry the product itself as well, as many shops send them.
        if let [only] = products.as_slice() {
            properties.extend(only.as_object().cloned().unwrap_or_default());
        }
        properties.insert("products".into(), products.into());
    } else if event.starts_with("Product") && !random.per_mille(20) {
        properties.extend(product(random).as_object().cloned().unwrap_or_default());
    }
    properties.insert("operating_system".into(), random.choice(&["Web", "iOS", "Android"]).into());
    properties.into()
}

fn product(random: &mut Random) -> Value {
    let sku = if random.per_mille(10) {
        random.choice(&ODD_SKUS).to_owned()
    } else {
        let number = random.popular(400);
        format!("{}-{}-{number:03}", random.choice(&ADJECTIVES), random.choice(&NOUNS))
    };
    json!({
        "sku": sku,
        "price": random.below(20_000) as f64 / 100.0,
        "quantity": 1 + random.below(3),
        "category": [random.choice(&["Apparel", "Shoes"]), random.choice(&["Women", "Men", "Kids"])],
        "gift": random.per_mille(100),
    })
}
