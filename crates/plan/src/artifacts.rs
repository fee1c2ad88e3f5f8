//! The plan's renderings, written from the templates in `templates/`.

use handlebars::{
    Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason, no_escape,
};
use serde::Serialize;
use serde_json::Value;

use crate::plan::ConversionPlan;
use crate::schema::Schema;
use crate::{job, python, sql};

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
                &job::context(plan),
            )?,
            explore_sql: renderer.render(
                "explore.sql",
                include_str!("../templates/explore.sql.hbs"),
                &sql::athena::context(plan),
            )?,
            unload_sql: renderer.render(
                "unload.sql",
                include_str!("../templates/unload.sql.hbs"),
                &sql::redshift::context(plan),
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
        handlebars.register_helper("python_assigned", Box::new(python_assigned));
        handlebars.register_helper("python_path", Box::new(python_path));
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
    [("json", json_literal), ("python", python::literal), ("sql_name", sql_name)];

fn json_literal(value: &Value) -> String {
    value.to_string()
}

/// A value as a Python literal that is assigned; its parameters are the value, and the column that
/// it begins in.
fn python_assigned(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let (value, [column]) = parameters(helper, "python_assigned")?;
    out.write(&python::assigned(value, column))?;
    Ok(())
}

/// A path as a Python list; its parameters are the path, the column that it begins in and how far
/// its line is indented.
fn python_path(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let (steps, [column, indentation]) = parameters(helper, "python_path")?;
    out.write(&python::path(steps.as_array().map_or(&[], Vec::as_slice), column, indentation))?;
    Ok(())
}

/// A helper's value and the numbers behind it.
fn parameters<'a, const N: usize>(
    helper: &'a Helper<'_>,
    name: &'static str,
) -> Result<(&'a Value, [usize; N]), RenderErrorReason> {
    let param = |at| {
        let param = helper.param(at).ok_or(RenderErrorReason::ParamNotFoundForIndex(name, at));
        param.map(|param| param.value())
    };
    let mut numbers = [0; N];
    for (at, number) in numbers.iter_mut().enumerate() {
        *number = param(at + 1)?.as_u64().unwrap_or_default() as usize;
    }
    Ok((param(0)?, numbers))
}

fn sql_name(value: &Value) -> String {
    sql::name(value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_breaks_out_of_its_literal() {
        assert_eq!(sql_name(&json!("a\"b")), "\"a\"\"b\"");
        assert_eq!(sql::text("it's"), "'it''s'");
    }
}
