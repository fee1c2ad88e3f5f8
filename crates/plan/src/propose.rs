//! Proposes which column fills which field, for a person to confirm.

use crate::conversion::Conversion;
use crate::dataset::{Dataset, Domain};
use crate::nearest::folded;
use crate::path::SourcePath;

/// What is known of a value in the source: where it is and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnProfile {
    /// Where it is; arrays are exploded (`products[].sku`).
    pub path: SourcePath,
    /// The share of records that have it, from 0 to 1.
    pub presence: f64,
    /// The share of its values that are times, from 0 to 1.
    pub times: f64,
    /// The share of its values that are numbers or text that holds one, from 0 to 1.
    pub numbers: f64,
    /// How many event types, or other distinct short texts, were seen; none if too many to count.
    pub distinct: Option<usize>,
}

/// A column proposed for a field, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The field of the dataset.
    pub field: &'static str,
    /// The parameter that would say so.
    pub parameter: &'static str,
    /// The column.
    pub path: SourcePath,
    /// Why this one, in words.
    pub reason: String,
}

/// What each field is called by collectors, in folded spelling; the likeliest first.
const NAMES: [(&str, &str, &[&str]); 6] = [
    (
        "USER_ID",
        "SourceColumnUserId",
        &[
            "userid",
            "uid",
            "customerid",
            "memberid",
            "visitorid",
            "clientid",
            "profileid",
            "accountid",
            "user",
            "customer",
            "anonymousid",
            "sessionid",
        ],
    ),
    (
        "ITEM_ID",
        "SourceColumnItemId",
        &[
            "itemid",
            "productid",
            "sku",
            "contentid",
            "articleid",
            "movieid",
            "videoid",
            "trackid",
            "songid",
            "bookid",
            "asin",
            "productsku",
            "item",
            "product",
        ],
    ),
    ("ACTION_ID", "SourceColumnItemId", &["actionid", "offerid", "campaignid", "action", "offer"]),
    (
        "EVENT_TYPE",
        "SourceColumnEventType",
        &["eventtype", "event", "eventname", "action", "interactiontype", "activity", "type"],
    ),
    (
        "EVENT_VALUE",
        "SourceColumnEventValue",
        &["eventvalue", "value", "rating", "score", "price", "revenue", "amount"],
    ),
    (
        "TIMESTAMP",
        "SourceColumnTimestamp",
        &[
            "timestamp",
            "eventtimestamp",
            "eventtime",
            "ts",
            "time",
            "occurredat",
            "originaltimestamp",
            "createdat",
            "sentat",
            "receivedat",
            "datetime",
            "date",
        ],
    ),
];

/// The columns proposed for a dataset's fields, in output order; a field without a likely column
/// has no proposal.
pub fn propose(
    dataset: Dataset,
    domain: Option<Domain>,
    profiles: &[ColumnProfile],
) -> Vec<Proposal> {
    let rules = dataset.fields(domain);
    let mapped = NAMES.iter().filter(|(field, ..)| rules.iter().any(|rule| rule.name == *field));
    let mut proposals: Vec<Proposal> = Vec::new();
    for (field, parameter, names) in mapped {
        let conversion = rules.iter().find(|rule| rule.name == *field).map(|rule| rule.conversion);
        let best = profiles
            .iter()
            .filter(|profile| !proposals.iter().any(|taken| taken.path == profile.path))
            .filter_map(|profile| Some((likelihood(profile, conversion?, names)?, profile)))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, profile)) = best {
            proposals.push(Proposal {
                field,
                parameter,
                path: profile.path.clone(),
                reason: reason(profile, conversion, names[0]),
            });
        }
    }
    proposals
}

/// How likely the column is the one; nothing if its name or values speak against it.
fn likelihood(profile: &ColumnProfile, conversion: Conversion, names: &[&str]) -> Option<f64> {
    let name = folded(profile.path.last_name());
    let rank = names.iter().position(|known| *known == name)?;
    let fits = match conversion {
        Conversion::EpochSeconds => profile.times > 0.5,
        Conversion::Float => profile.numbers > 0.5,
        _ => true,
    };
    let depth = profile.path.steps().len() as f64;
    let by_name = 1.0 - rank as f64 / names.len() as f64;
    // A required value that most records lack is rarely meant, and outer values come before inner.
    fits.then_some(2.0 * by_name + profile.presence - 0.25 * depth)
}

fn reason(profile: &ColumnProfile, conversion: Option<Conversion>, first_name: &str) -> String {
    let exact = folded(profile.path.last_name()) == first_name;
    let by_name = if exact { "name" } else { "similar name" };
    let by_value = match conversion {
        Some(Conversion::EpochSeconds) => " and values (times)",
        Some(Conversion::Float) => " and values (numbers)",
        _ => "",
    };
    let percent = (profile.presence * 100.0).floor();
    let mut reason = format!("{by_name}{by_value}; {percent:.0} % of records have it");
    if let (Some(Conversion::EventType), Some(distinct)) = (conversion, profile.distinct) {
        reason.push_str(&format!(", {distinct} different"));
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(path: &str, presence: f64, times: f64, numbers: f64) -> ColumnProfile {
        ColumnProfile { path: path.parse().unwrap(), presence, times, numbers, distinct: Some(3) }
    }

    #[test]
    fn segment_messages_get_the_columns_a_person_would_take() {
        let profiles = [
            profile("anonymousId", 1.0, 0.0, 0.0),
            profile("event", 0.9, 0.0, 0.0),
            profile("properties.sku", 0.8, 0.0, 0.0),
            profile("properties.price", 0.8, 0.0, 1.0),
            profile("receivedAt", 1.0, 1.0, 0.0),
            profile("timestamp", 1.0, 1.0, 0.0),
            profile("type", 1.0, 0.0, 0.0),
            profile("userId", 0.98, 0.0, 0.0),
        ];
        let found: Vec<String> = propose(Dataset::Interactions, None, &profiles)
            .iter()
            .map(|proposal| format!("{} <- {}: {}", proposal.field, proposal.path, proposal.reason))
            .collect();
        assert_eq!(
            found,
            [
                "USER_ID <- userId: name; 98 % of records have it",
                "ITEM_ID <- properties.sku: similar name; 80 % of records have it",
                "EVENT_TYPE <- event: similar name; 90 % of records have it, 3 different",
                "EVENT_VALUE <- properties.price: similar name and values (numbers); 80 % of records have it",
                "TIMESTAMP <- timestamp: name and values (times); 100 % of records have it",
            ]
        );
    }

    #[test]
    fn a_time_that_is_none_is_not_proposed() {
        let profiles = [profile("timestamp", 1.0, 0.0, 0.0)];
        assert!(propose(Dataset::Interactions, None, &profiles).is_empty());
    }
}
