//! What the benchmarks convert: JSON lines as Firehose writes them, nested events of which some are
//! kept, and CSV.

#![allow(dead_code, reason = "no benchmark uses all of it")]

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use personalize_engine::infer::{Amount, Profile};
use personalize_plan::{ConversionPlan, Limits, Parameters, resolve};

pub(crate) const RECORDS: usize = 20_000;

/// The parameters for [`nested`].
pub(crate) const NESTED: &[(&str, &str)] = &[
    ("EventTypes", "Product Clicked,Order Completed"),
    ("SourceColumnUserId", "userId"),
    ("SourceColumnItemId", "properties.sku"),
    ("SourceColumnEventType", "event"),
];

pub(crate) fn flat() -> String {
    let mut text = String::new();
    for n in 0..RECORDS {
        let (item, user, time) = (n * 7919 % 5000, n * 104_729 % 200_000, 1_547_157_950 + n);
        let event = ["click", "click", "view", "purchase"][n % 4];
        let _ = writeln!(
            text,
            r#"{{"type": "useritem", "ITEM_ID": {item}, "USER_ID": {user}, "EVENT_TYPE": "{event}", "EVENT_VALUE": {item}, "TIMESTAMP": {time}}}"#
        );
    }
    text
}

pub(crate) fn nested() -> String {
    let mut text = String::new();
    for n in 0..RECORDS {
        let event = ["Product Clicked", "Page Viewed", "Order Completed", "Email Opened"][n % 4];
        let (sku, minute, second) = (n * 7919 % 5000, n / 60 % 60, n % 60);
        let _ = writeln!(
            text,
            r#"{{"anonymousId":"9d6f2a{n:010}","context":{{"ip":"203.0.113.7","library":{{"name":"analytics.js","version":"3.7.4"}},"page":{{"path":"/product/{sku}","title":"Winter \u2744 sale","url":"https://shop.example.com/product/{sku}"}},"userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_2) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/71.0 Safari/537.36"}},"event":"{event}","messageId":"ajs-{n:032}","properties":{{"sku":"sku-{sku}","price":{sku}.5,"quantity":1}},"timestamp":"2019-01-10T22:{minute:02}:{second:02}.123Z","type":"track","userId":"{n}","version":2}}"#
        );
    }
    text
}

pub(crate) fn csv() -> String {
    let mut text = "type,ITEM_ID,USER_ID,EVENT_TYPE,EVENT_VALUE,TIMESTAMP\n".to_owned();
    for n in 0..RECORDS {
        let (item, user, time) = (n * 7919 % 5000, n * 104_729 % 200_000, 1_547_157_950 + n);
        let _ = writeln!(text, "useritem,{item},{user},click,{item},{time}");
    }
    text
}

/// The plan for a text by these parameters.
pub(crate) fn plan(text: &str, parameters: &[(&str, &str)]) -> ConversionPlan {
    let mut profile = Profile::default();
    let input = Arc::new(Bytes::copy_from_slice(text.as_bytes()));
    profile.sample(input, Amount::ALL, Limits::default()).expect("text in memory can be read");
    let table = profile.table("events", "", &[]).expect("its format is known");
    let parameters = Parameters::from_pairs(parameters.iter().copied()).expect("they are valid");
    resolve(&parameters, &table).expect("its columns are there")
}
