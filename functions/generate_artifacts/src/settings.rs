//! What the stack gives: names of its parts, and the parameters.

use std::collections::BTreeMap;

use personalize_plan::{ParameterError, Parameters};
use serde::{Deserialize, Serialize};

use crate::request::{ResourceRequest, scalar};

/// Properties of the custom resource that are no parameters of the plan. `Release` makes a new
/// release of the program render again.
const OTHER_PROPERTIES: [&str; 5] =
    ["ServiceToken", "ServiceTimeout", "CrawlerName", "DatabaseName", "Release"];

/// The custom resource's properties, kept for the time after a crawl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) crawler: String,
    pub(crate) database: String,
    /// As the stack gave them
    parameters: BTreeMap<String, String>,
}

/// A property that the resource cannot do without.
#[derive(Debug, thiserror::Error)]
#[error("the custom resource has no property {0}; the template has to set it")]
pub(crate) struct MissingProperty(&'static str);

impl Settings {
    pub(crate) fn of(request: &ResourceRequest) -> Result<Self, MissingProperty> {
        let required = |name| {
            request.property(name).filter(|value| !value.is_empty()).ok_or(MissingProperty(name))
        };
        let parameters = request
            .properties
            .iter()
            .filter(|(name, _)| !OTHER_PROPERTIES.contains(&name.as_str()));
        Ok(Self {
            crawler: required("CrawlerName")?,
            database: required("DatabaseName")?,
            parameters: parameters.map(|(name, value)| (name.clone(), scalar(value))).collect(),
        })
    }

    pub(crate) fn parameters(&self) -> Result<Parameters, ParameterError> {
        Parameters::from_pairs(&self.parameters)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::Event;

    fn request(properties: &serde_json::Value) -> ResourceRequest {
        let event = json!({"ResponseURL": "u", "ResourceProperties": properties});
        match Event::read(event) {
            Event::Resource(request) => *request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_are_told_from_other_properties() {
        let settings = Settings::of(&request(&json!({
            "ServiceToken": "arn", "ServiceTimeout": "60", "CrawlerName": "c",
            "DatabaseName": "d", "Release": "1.0.0", "TableName": "events",
        })))
        .unwrap();
        assert_eq!(settings.parameters().unwrap().table, "events");
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let fault = Settings::of(&request(&json!({"CrawlerName": "c"}))).unwrap_err();
        assert!(fault.to_string().contains("DatabaseName"));
        let properties = json!({"CrawlerName": "c", "DatabaseName": "d", "TabelName": "x"});
        let fault = Settings::of(&request(&properties)).unwrap().parameters().unwrap_err();
        assert!(fault.to_string().contains("did you mean TableName"));
    }
}
