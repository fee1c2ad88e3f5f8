//! Paths into a source record: `userId`, `properties.sku`, `products[0].sku`, `products[].sku`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One step from a value into a value inside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The member of an object, found ignoring case as the Glue Data Catalog does.
    Name(String),
    /// The element of an array, counted from zero.
    Index(usize),
    /// Every element of an array: one output row each.
    Each,
}

/// Where in a source record a value lies. Starts with a name and has [`Step::Each`] at most once.
///
/// Written as names joined by `.`, with `[n]` or `[]` behind a name. A name in backticks or double
/// quotes may hold any character; the quote itself is doubled inside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourcePath {
    steps: Vec<Step>,
}

/// Why a text is no [`SourcePath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The text, or one name in it, is empty.
    #[error("`{path}` has an empty name in it")]
    EmptyName {
        /// The text as given.
        path: String,
    },
    /// A quote is never closed.
    #[error("`{path}` has a name whose closing {quote} is missing")]
    UnclosedQuote {
        /// The text as given.
        path: String,
        /// The quote character.
        quote: char,
    },
    /// Something else than `.` or `[` follows a name or a bracket.
    #[error("`{path}` goes on with `{rest}` where `.` or `[` was expected")]
    Unexpected {
        /// The text as given.
        path: String,
        /// What is left of it.
        rest: String,
    },
    /// The text between brackets is no whole number.
    #[error(
        "`{path}` has `[{index}]`; write `[0]` for the first element or `[]` for every element"
    )]
    BadIndex {
        /// The text as given.
        path: String,
        /// What stands between the brackets.
        index: String,
    },
    /// More than one `[]`.
    #[error("`{path}` explodes two arrays; only one `[]` is possible in a path")]
    TwoArrays {
        /// The text as given.
        path: String,
    },
}

impl SourcePath {
    /// The path of a top-level column; `name` is taken whole, dots included.
    pub fn column(name: impl Into<String>) -> Self {
        Self { steps: vec![Step::Name(name.into())] }
    }

    /// The steps from the record to the value.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The top-level column that the path starts with.
    pub fn first_name(&self) -> &str {
        match &self.steps[0] {
            Step::Name(name) => name,
            Step::Index(_) | Step::Each => "",
        }
    }

    /// The last name of the path: `sku` of `properties.products[].sku`.
    pub fn last_name(&self) -> &str {
        let mut names = self.steps.iter().filter_map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) | Step::Each => None,
        });
        names.next_back().unwrap_or_default()
    }

    /// Whether the path is one name and nothing else.
    pub fn is_column(&self) -> bool {
        self.steps.len() == 1
    }

    /// The array that the path explodes: `properties.products` of `properties.products[].sku`.
    pub fn exploded_array(&self) -> Option<SourcePath> {
        let at = self.steps.iter().position(|step| *step == Step::Each)?;
        Some(Self { steps: self.steps[..at].to_vec() })
    }

    /// The path with one more step.
    pub(crate) fn child(&self, step: Step) -> SourcePath {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self { steps }
    }

    /// Whether both paths name the same place, ignoring case.
    pub fn same_place(&self, other: &SourcePath) -> bool {
        self.to_string().to_lowercase() == other.to_string().to_lowercase()
    }
}

impl FromStr for SourcePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let path = || text.to_owned();
        let mut steps = Vec::new();
        let mut rest = text.trim();
        loop {
            let (name, after) = take_name(rest, text)?;
            if name.is_empty() {
                return Err(PathError::EmptyName { path: path() });
            }
            steps.push(Step::Name(name));
            rest = after;
            while let Some(inner) = rest.strip_prefix('[') {
                let Some((index, after)) = inner.split_once(']') else {
                    return Err(PathError::BadIndex { path: path(), index: inner.to_owned() });
                };
                steps.push(match index.trim() {
                    "" => Step::Each,
                    digits => Step::Index(digits.parse().map_err(|_| PathError::BadIndex {
                        path: path(),
                        index: digits.to_owned(),
                    })?),
                });
                rest = after;
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None if rest.is_empty() => break,
                None => {
                    return Err(PathError::Unexpected { path: path(), rest: rest.to_owned() });
                }
            }
        }
        if steps.iter().filter(|step| **step == Step::Each).count() > 1 {
            return Err(PathError::TwoArrays { path: path() });
        }
        Ok(Self { steps })
    }
}

/// Splits the name off the front of `rest`.
fn take_name<'a>(rest: &'a str, whole: &str) -> Result<(String, &'a str), PathError> {
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '`' | '"')) else {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        return Ok((rest[..end].to_owned(), &rest[end..]));
    };
    let mut name = String::new();
    let mut chars = rest[1..].char_indices();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            name.push(c);
        } else if rest[1 + at + 1..].starts_with(quote) {
            name.push(quote);
            chars.next();
        } else {
            return Ok((name, &rest[1 + at + 1..]));
        }
    }
    Err(PathError::UnclosedQuote { path: whole.to_owned(), quote })
}

impl fmt::Display for SourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            match step {
                Step::Name(name) => {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    if name.contains(['.', '[', ']', '`', '"', ',', ':', ' ']) {
                        write!(f, "`{}`", name.replace('`', "``"))?;
                    } else {
                        f.write_str(name)?;
                    }
                }
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Each => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for SourcePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<SourcePath> for String {
    fn from(path: SourcePath) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_written_form_reads_back_to_itself() {
        for text in [
            "userId",
            "properties.sku",
            "products[0].sku",
            "properties.products[].sku",
            "skus[]",
            "`First Name`.`a.b`",
            "grid[1][2]",
        ] {
            let path: SourcePath = text.parse().unwrap();
            assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn quotes_take_any_character() {
        let path: SourcePath = r#""say ""hi"".x".`back``tick`"#.parse().unwrap();
        assert_eq!(
            path.steps(),
            [Step::Name(r#"say "hi".x"#.into()), Step::Name("back`tick".into())]
        );
        assert_eq!(path.to_string().parse::<SourcePath>().unwrap(), path);
    }

    #[test]
    fn what_is_exploded_is_the_array_before_the_brackets() {
        let path: SourcePath = "properties.products[].sku".parse().unwrap();
        assert_eq!(path.exploded_array().unwrap().to_string(), "properties.products");
        assert_eq!(path.last_name(), "sku");
        assert_eq!(path.first_name(), "properties");
    }

    #[test]
    fn faults_say_what_is_wrong() {
        let fault = |text: &str| text.parse::<SourcePath>().unwrap_err().to_string();
        assert!(fault("").contains("empty name"));
        assert!(fault("a..b").contains("empty name"));
        assert!(fault("`a").contains("closing `"));
        assert!(fault("a[x]").contains("[0]"));
        assert!(fault("a[0]b").contains("`b`"));
        assert!(fault("a[].b[].c").contains("two arrays"));
    }
}
