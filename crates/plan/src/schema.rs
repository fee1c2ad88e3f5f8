//! The Avro schema that Personalize's CreateSchema takes.
//!
//! Source: Personalize developer guide, "how-it-works-dataset-schema".

use serde::Serialize;

use crate::plan::{ConversionPlan, Field};

/// The record schema of a dataset.
#[derive(Debug, Serialize)]
pub(crate) struct Schema {
    #[serde(rename = "type")]
    record: &'static str,
    name: &'static str,
    namespace: &'static str,
    fields: Vec<SchemaField>,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct SchemaField {
    name: String,
    #[serde(rename = "type")]
    avro_type: AvroType,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    categorical: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    textual: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum AvroType {
    Required(&'static str),
    Nullable([&'static str; 2]),
}

impl Schema {
    pub(crate) fn of(plan: &ConversionPlan) -> Self {
        Self {
            record: "record",
            name: plan.dataset.name(),
            namespace: "com.amazonaws.personalize.schema",
            fields: plan.fields.iter().map(SchemaField::of).collect(),
            version: "1.0",
        }
    }

    /// What the template writes: each field as a text, its name first.
    pub(crate) fn context(&self) -> serde_json::Value {
        let field = |field: &SchemaField| serde_json::to_string(field).unwrap_or_default();
        let fields: Vec<String> = self.fields.iter().map(field).collect();
        serde_json::json!({
            "type": self.record,
            "name": self.name,
            "namespace": self.namespace,
            "fields": fields,
            "version": self.version,
        })
    }

    /// How many characters the schema has without white space.
    pub(crate) fn characters(&self) -> usize {
        serde_json::to_string(self).unwrap_or_default().chars().count()
    }
}

impl SchemaField {
    fn of(field: &Field) -> Self {
        let avro_type = field.conversion.avro_type();
        Self {
            name: field.name.clone(),
            avro_type: if field.nullable {
                AvroType::Nullable(["null", avro_type])
            } else {
                AvroType::Required(avro_type)
            },
            categorical: field.conversion.is_categorical(),
            textual: field.conversion.is_textual(),
        }
    }
}
