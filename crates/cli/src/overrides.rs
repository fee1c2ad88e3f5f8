//! Parameters from the command line and from samconfig.toml.

use anyhow::{Context as _, anyhow, bail};
use personalize_plan::Parameters;

use crate::arguments::ParameterArguments;
use crate::failure::Failure;

/// The parameters that the arguments give: samconfig.toml's first, those typed on top.
pub(crate) fn parameters(arguments: &ParameterArguments) -> Result<Parameters, Failure> {
    let mut pairs = Vec::new();
    if let Some(path) = &arguments.samconfig {
        let text = fs_err::read_to_string(path)?;
        pairs = from_samconfig(&text, &arguments.config_env)
            .with_context(|| path.display().to_string())?;
    }
    for argument in &arguments.parameter_overrides {
        pairs.push(pair(argument).map_err(Failure::Usage)?);
    }
    Parameters::from_pairs(pairs).map_err(Failure::usage)
}

/// One `KEY=VALUE`, or CloudFormation's `ParameterKey=KEY,ParameterValue=VALUE`.
fn pair(text: &str) -> anyhow::Result<(String, String)> {
    let cloudformation =
        text.strip_prefix("ParameterKey=").and_then(|rest| rest.split_once(",ParameterValue="));
    let (name, value) = cloudformation
        .or_else(|| text.split_once('='))
        .ok_or_else(|| anyhow!("`{text}` is no parameter; write KEY=VALUE"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Splits at white space outside double quotes, and takes the quotes off; `\"` and `\\` stand for
/// what is behind the backslash.
fn split_quoted(line: &str) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    let mut text: Option<String> = None;
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                text.get_or_insert_default();
            }
            '\\' if quoted => text.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() && !quoted => texts.extend(text.take()),
            c => text.get_or_insert_default().push(c),
        }
    }
    if quoted {
        bail!("parameter_overrides has a quote that is not closed: {line}");
    }
    texts.extend(text);
    Ok(texts)
}

/// A list's entry: one pair, whose value may stand in double quotes.
fn list_entry(text: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = pair(text)?;
    if !value.starts_with('"') {
        if let Some((taken, _)) = value.split_once(char::is_whitespace) {
            bail!(
                "`{text}` has a space outside quotes: sam would take `{taken}` alone; write \
                 '{name}=\"{value}\"'"
            );
        }
        return Ok((name, value));
    }
    match split_quoted(&value)?.as_slice() {
        [whole] => Ok((name, whole.clone())),
        _ => bail!("`{text}` has text behind its quotes"),
    }
}

/// The `parameter_overrides` that `sam deploy --config-env` would use: a list of pairs, or one
/// string with pairs as a shell would split it.
fn from_samconfig(text: &str, environment: &str) -> anyhow::Result<Vec<(String, String)>> {
    let config: toml::Table = text.parse()?;
    let Some(settings) = config.get(environment) else {
        let found: Vec<&str> = config
            .iter()
            .filter(|(_, value)| value.is_table())
            .map(|(name, _)| name.as_str())
            .collect();
        bail!("there is no environment `{environment}`; it has {}", found.join(", "));
    };
    let section =
        |command: &str| settings.get(command)?.get("parameters")?.get("parameter_overrides");
    let Some(overrides) = section("deploy").or_else(|| section("global")) else {
        bail!("[{environment}.deploy.parameters] has no parameter_overrides");
    };
    match overrides {
        toml::Value::String(line) => split_quoted(line)?.iter().map(|text| pair(text)).collect(),
        toml::Value::Array(entries) => entries
            .iter()
            .map(|entry| match entry.as_str() {
                Some(text) => list_entry(text),
                None => bail!("parameter_overrides has an entry that is no string"),
            })
            .collect(),
        _ => bail!("parameter_overrides is neither a string nor a list of strings"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: [(&str, &str); 3] = [
        ("SourceColumnUserId", "userId"),
        ("EventTypes", "Product Added,Order Completed"),
        ("SourceColumnItemId", "properties.sku"),
    ];

    #[track_caller]
    fn check(text: &str) {
        let pairs = from_samconfig(text, "default").unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, EXPECTED);
    }

    #[test]
    fn a_string_and_a_list_say_the_same() {
        check(
            r#"version = 0.1
            [default.deploy.parameters]
            parameter_overrides = "SourceColumnUserId=userId EventTypes=\"Product Added,Order Completed\" SourceColumnItemId=\"properties.sku\"""#,
        );
        check(
            r#"[default.deploy.parameters]
            parameter_overrides = ["SourceColumnUserId=userId",
              'EventTypes="Product Added,Order Completed"', "SourceColumnItemId=\"properties.sku\""]"#,
        );
        check(
            r#"[default.global.parameters]
            parameter_overrides = '''ParameterKey=SourceColumnUserId,ParameterValue=userId
              ParameterKey=EventTypes,ParameterValue="Product Added,Order Completed"
              SourceColumnItemId=properties.sku'''"#,
        );
    }

    #[test]
    fn quotes_inside_a_value_stay() {
        let value = |text: &str| from_samconfig(text, "d").unwrap()[0].1.clone();
        let section = "[d.deploy.parameters]\nparameter_overrides = ";
        for (written, expected) in [
            (r#"'EventTypes="\"Buy, Now\",View"'"#, r#""Buy, Now",View"#),
            (r#"['EventTypes="\"Buy, Now\",View"']"#, r#""Buy, Now",View"#),
            (r#"["TimestampFormat=yyyy-MM-dd'T'HH:mm"]"#, "yyyy-MM-dd'T'HH:mm"),
            (r#""TimestampFormat=yyyy-MM-dd'T'HH:mm""#, "yyyy-MM-dd'T'HH:mm"),
        ] {
            assert_eq!(value(&format!("{section}{written}")), expected);
        }
        assert!(from_samconfig(&format!("{section}'A=\"x'"), "d").is_err());
        // Sam stops at the space without a word.
        let fault = from_samconfig(&format!("{section}['EventTypes=Order Completed']"), "d");
        assert!(fault.unwrap_err().to_string().contains("sam would take `Order` alone"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let fault = |text: &str, environment: &str| {
            from_samconfig(text, environment).unwrap_err().to_string()
        };
        assert!(fault("[dev.deploy.parameters]\nx = 1", "prod").contains("it has dev"));
        assert!(fault("[dev.deploy.parameters]\nx = 1", "dev").contains("no parameter_overrides"));
        assert!(pair("x.csv").unwrap_err().to_string().contains("KEY=VALUE"));
    }
}
