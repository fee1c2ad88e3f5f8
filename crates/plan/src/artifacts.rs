//! The plan's renderings, written from the templates in `templates/`.

use handlebars::{
    Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason, no_escape,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::parameters::OutputFiles;
use crate::plan::ConversionPlan;
use crate::schema::Schema;
use crate::sql;

/// A plan's renderings as texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifacts {
    /// `plan.json`: the plan itself
    pub plan: String,
    /// `schema.json`: the Avro schema for Personalize
    pub schema: String,
    /// `conversion_job.py`: the Glue job
    pub conversion_job: String,
    /// `explore.sql`: Athena queries over source and result
    pub explore_sql: String,
    /// `unload.sql`: Redshift UNLOAD of the same columns
    pub unload_sql: String,
}

/// A template could not be rendered, which only a fault in the template can cause.
#[derive(Debug, thiserror::Error)]
#[error("template {template} cannot be rendered: {fault}")]
pub struct RenderError {
    template: &'static str,
    fault: String,
}

impl Artifacts {
    /// Renders the plan.
    ///
    /// # Errors
    ///
    /// [`RenderError`] if a template is at fault.
    pub fn render(plan: &ConversionPlan) -> Result<Self, RenderError> {
        let renderer = Renderer::new();
        let pretty = serde_json::to_string_pretty(plan)
            .map_err(|fault| RenderError { template: "plan.json", fault: fault.to_string() })?;
        let context = json!({
            "plan": plan,
            "columns": sql::columns(plan),
            "filter": sql::filter(plan),
            "explode": sql::explode(plan),
            "converted": sql::converted(plan),
            "unload": sql::unload(plan),
            "single_file": plan.destination.files == OutputFiles::Single,
            "output_name": plan.dataset.name().to_lowercase(),
        });
        Ok(Self {
            plan: pretty + "\n",
            schema: renderer.render(
                "schema.json",
                include_str!("../templates/schema.json.hbs"),
                &Schema::of(plan).context(),
            )?,
            conversion_job: renderer.render(
                "conversion_job.py",
                include_str!("../templates/conversion_job.py.hbs"),
                &context,
            )?,
            explore_sql: renderer.render(
                "explore.sql",
                include_str!("../templates/explore.sql.hbs"),
                &context,
            )?,
            unload_sql: renderer.render(
                "unload.sql",
                include_str!("../templates/unload.sql.hbs"),
                &context,
            )?,
        })
    }

    /// The renderings with their file names.
    pub fn files(&self) -> [(&'static str, &str); 5] {
        [
            ("plan.json", &self.plan),
            ("schema.json", &self.schema),
            ("conversion_job.py", &self.conversion_job),
            ("explore.sql", &self.explore_sql),
            ("unload.sql", &self.unload_sql),
        ]
    }
}

struct Renderer {
    handlebars: Handlebars<'static>,
}

impl Renderer {
    fn new() -> Self {
        let mut handlebars = Handlebars::new();
        handlebars.set_strict_mode(true);
        handlebars.register_escape_fn(no_escape);
        for (name, literal) in LITERALS {
            let helper = move |helper: &Helper<'_>,
                               _: &Handlebars<'_>,
                               _: &Context,
                               _: &mut RenderContext<'_, '_>,
                               out: &mut dyn Output|
                  -> HelperResult {
                let value = helper
                    .param(0)
                    .ok_or(RenderErrorReason::ParamNotFoundForIndex(name, 0))?
                    .value();
                out.write(&literal(value))?;
                Ok(())
            };
            handlebars.register_helper(name, Box::new(helper));
        }
        Self { handlebars }
    }

    fn render(
        &self,
        template: &'static str,
        text: &str,
        context: &impl Serialize,
    ) -> Result<String, RenderError> {
        self.handlebars
            .render_template(text, context)
            .map_err(|fault| RenderError { template, fault: fault.to_string() })
    }
}

type Literal = fn(&Value) -> String;

/// Helpers that write a value as a literal of a language, so that no text from a parameter or a
/// column name can break out of its quotes.
const LITERALS: [(&str, Literal); 3] =
    [("json", json_literal), ("python", python_literal), ("sql_name", sql_name)];

fn json_literal(value: &Value) -> String {
    value.to_string()
}

/// A string, list or number as Python writes it. A JSON string is a Python string as well.
fn python_literal(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python_literal).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

fn sql_name(value: &Value) -> String {
    sql::name(value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_its_literal() {
        let hostile = json!("x'; DROP \"TABLE\" \\ \n {{y}} \u{2028}");
        assert_eq!(sql_name(&json!("a\"b")), "\"a\"\"b\"");
        assert_eq!(sql::text("it's"), "'it''s'");
        let python = python_literal(&hostile);
        assert_eq!(serde_json::from_str::<Value>(&python).unwrap(), hostile);
        assert!(!python.contains('\n'));
    }
}
