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
    let cloudformation = text
        .strip_prefix("ParameterKey=")
        .and_then(|rest| rest.split_once(",ParameterValue="));
    let (name, value) = cloudformation
        .or_else(|| text.split_once('='))
        .ok_or_else(|| {
            anyhow!(
                "`{text}` is no parameter; write KEY=VALUE, and SOURCE and DESTINATION before \
             --parameter-overrides"
            )
        })?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// A pair of samconfig.toml, where quotes around a value are not part of it. On the command line
/// the shell has taken them off already.
fn quoted_pair(text: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = pair(text)?;
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .map(str::to_owned);
    Ok((name, inner.unwrap_or(value)))
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
        bail!(
            "there is no environment `{environment}`; it has {}",
            found.join(", ")
        );
    };
    let section = |command: &str| {
        settings
            .get(command)?
            .get("parameters")?
            .get("parameter_overrides")
    };
    let Some(overrides) = section("deploy").or_else(|| section("global")) else {
        bail!("[{environment}.deploy.parameters] has no parameter_overrides");
    };
    let texts = match overrides {
        toml::Value::String(line) => shlex::split(line)
            .ok_or_else(|| anyhow!("parameter_overrides has a quote that is not closed: {line}"))?,
        toml::Value::Array(entries) => entries
            .iter()
            .map(|entry| entry.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| anyhow!("parameter_overrides has an entry that is no string"))?,
        _ => bail!("parameter_overrides is neither a string nor a list of strings"),
    };
    texts.iter().map(|text| quoted_pair(text)).collect()
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
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
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
              "EventTypes=Product Added,Order Completed", "SourceColumnItemId=\"properties.sku\""]"#,
        );
        check(
            r#"[default.global.parameters]
            parameter_overrides = '''ParameterKey=SourceColumnUserId,ParameterValue=userId
              ParameterKey=EventTypes,ParameterValue="Product Added,Order Completed"
              SourceColumnItemId=properties.sku'''"#,
        );
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
