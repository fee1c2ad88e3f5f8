//! A grok pattern as one regular expression: each `%{NAME:field:type}` becomes what the pattern of
//! that name says, captured if it has a field.

use std::collections::HashMap;

use super::GrokError;
use super::patterns::standard;

/// Bytes that a pattern may become, and patterns inside each other.
const MAX_LENGTH: usize = 256 * 1024;
const MAX_DEPTH: usize = 50;

/// The groups that are captured are called so, with the field's number behind it.
const GROUP: &str = "_grok_";

/// A pattern in which no references are left.
#[derive(Debug)]
pub(super) struct Expansion {
    pub(super) regex: String,
    /// The fields by their numbers.
    pub(super) fields: Vec<Field>,
}

/// What a capture is called, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: Type,
    /// Whether double quotes around it are not part of it
    pub(super) is_quoted: bool,
}

/// The type of a field's values, where they are of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Number,
    Boolean,
}

impl Field {
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), value: Type::Text, is_quoted: false }
    }
}

/// The number of the field that a group captures, if it is not one of the pattern's own.
pub(super) fn field_of_group(name: &str) -> Option<usize> {
    name.strip_prefix(GROUP)?.parse().ok()
}

/// Expands a pattern; `custom` patterns take precedence over the standard ones.
pub(super) fn expand(pattern: &str, custom: &HashMap<&str, &str>) -> Result<Expansion, GrokError> {
    let expansion = Expansion { regex: String::new(), fields: Vec::new() };
    let mut expander = Expander { custom, within: Vec::new(), expansion };
    expander.pattern(pattern)?;
    Ok(expander.expansion)
}

struct Expander<'a> {
    custom: &'a HashMap<&'a str, &'a str>,
    /// The patterns that are being expanded
    within: Vec<&'a str>,
    expansion: Expansion,
}

/// `%{name:field:type=definition}`
#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    name: &'a str,
    field: Option<&'a str>,
    value: Type,
    definition: Option<&'a str>,
}

impl<'a> Expander<'a> {
    fn pattern(&mut self, pattern: &'a str) -> Result<(), GrokError> {
        let mut rest = pattern;
        while let Some(at) = rest.find("%{") {
            self.expansion.regex.push_str(&rest[..at]);
            let inside = inside_braces(&rest[at + 2..]);
            let inside = inside.ok_or_else(|| GrokError::Reference(rest[at..].to_owned()))?;
            let end = at + 2 + inside.len() + 1;
            // A percent sign that is repeated.
            if inside.bytes().all(|c| c.is_ascii_digit() || c == b',') {
                self.expansion.regex.push_str(&rest[at..end]);
            } else {
                let reference = Reference::parse(inside)
                    .ok_or_else(|| GrokError::Reference(rest[at..end].to_owned()))?;
                self.reference(&reference)?;
            }
            rest = &rest[end..];
        }
        self.expansion.regex.push_str(rest);
        if self.expansion.regex.len() > MAX_LENGTH { Err(GrokError::TooLong) } else { Ok(()) }
    }

    fn reference(&mut self, reference: &Reference<'a>) -> Result<(), GrokError> {
        let Reference { name, field, value, definition } = *reference;
        if self.within.contains(&name) {
            return Err(GrokError::Recursive(name.to_owned()));
        }
        if self.within.len() == MAX_DEPTH {
            return Err(GrokError::TooLong);
        }
        let known = || self.custom.get(name).copied().or_else(|| standard(name));
        let pattern = definition.or_else(known);
        let pattern = pattern.ok_or_else(|| GrokError::UnknownPattern(name.to_owned()))?;
        match field {
            Some(field) => {
                let number = self.expansion.fields.len();
                self.expansion.regex.push_str(&format!("(?<{GROUP}{number}>"));
                let is_quoted = matches!(name, "QS" | "QUOTEDSTRING");
                self.expansion.fields.push(Field { name: field.to_owned(), value, is_quoted });
            }
            None => self.expansion.regex.push_str("(?:"),
        }
        self.within.push(name);
        self.pattern(pattern)?;
        self.within.pop();
        self.expansion.regex.push(')');
        Ok(())
    }
}

impl<'a> Reference<'a> {
    fn parse(inside: &'a str) -> Option<Self> {
        let (head, definition) = match inside.split_once('=') {
            Some((head, definition)) => (head, Some(definition)),
            None => (inside, None),
        };
        let (name, field) = match head.split_once(':') {
            Some((name, field)) => (name, Some(field)),
            None => (head, None),
        };
        let (field, type_name) = match field.and_then(|field| field.split_once([':', ';'])) {
            Some((field, type_name)) => (Some(field), type_name),
            None => (field, ""),
        };
        let is_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        let is_field = |c: u8| is_word(c) || matches!(c, b'.' | b'-' | b'@' | b'[' | b']');
        if name.is_empty()
            || !name.bytes().all(is_word)
            || !field.is_none_or(|field| !field.is_empty() && field.bytes().all(is_field))
        {
            return None;
        }
        let value = match type_name {
            "byte" | "short" | "int" | "integer" | "long" | "float" | "double" | "number" => {
                Type::Number
            }
            "boolean" => Type::Boolean,
            _ => Type::Text,
        };
        // Of a path as Elastic writes it, `[client][ip]`, the last part.
        let last =
            |field: &'a str| field.rsplit('[').next().unwrap_or_default().trim_end_matches(']');
        // Libraries that capture every pattern have this name for what is thrown away.
        let field = field.map(last).filter(|field| *field != "UNWANTED");
        Some(Self { name, field, value, definition })
    }
}

/// The text up to the brace that closes those before it.
fn inside_braces(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (at, c) in text.bytes().enumerate() {
        match c {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(&text[..at]),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(pattern: &str) -> String {
        let custom = HashMap::from([("A", "a%{B:b}"), ("B", "b+")]);
        let expansion = expand(pattern, &custom).unwrap();
        let names = expansion.fields.into_iter().map(|field| field.name);
        [expansion.regex, names.collect::<Vec<_>>().join(",")].join(" ")
    }

    #[test]
    fn references_are_replaced_by_what_they_say() {
        assert_eq!(expanded("x%{B}y"), "x(?:b+)y ");
        assert_eq!(expanded("%{A:x}%{B:y:int}"), "(?<_grok_0>a(?<_grok_1>b+))(?<_grok_2>b+) x,b,y");
        assert_eq!(expanded("%{Bytes:n=%{B}|-}"), "(?<_grok_0>(?:b+)|-) n");
        assert_eq!(
            expanded("%{B:[a][b]}%{B:c.d-e}%{B:UNWANTED}").split(' ').nth(1),
            Some("b,c.d-e")
        );
        assert_eq!(expanded("5%{2,3} %{1}|%"), "5%{2,3} %{1}|% ");
    }

    #[test]
    fn types_stand_behind_a_colon_or_semicolon() {
        for (inside, field, value) in [
            ("B:x:int", "x", Type::Number),
            ("B:x;double", "x", Type::Number),
            ("B:x:boolean", "x", Type::Boolean),
            ("B:x;date;dd/MMM/yyyy:HH:mm:ss Z", "x", Type::Text),
            ("B:x:string", "x", Type::Text),
            ("B:x", "x", Type::Text),
        ] {
            let found = Reference::parse(inside).unwrap();
            assert_eq!((found.field, found.value), (Some(field), value), "{inside}");
        }
        for inside in ["", ":x", "B:", "B x", "B:x y", "B;int"] {
            assert_eq!(Reference::parse(inside), None, "{inside}");
        }
    }
}
