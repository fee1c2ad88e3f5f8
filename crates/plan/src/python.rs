//! Values as Python literals, written as Python's formatters write them.

use serde_json::Value;

/// As long as a line gets before its formatters break it.
const LINE: usize = 88;

/// A string, number, truth value or list of these.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::String(text) => string(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// A literal that is assigned and begins in that column of its line: in parentheses on the next
/// line, if it fits there alone.
pub(crate) fn assigned(value: &Value, column: usize) -> String {
    let literal = literal(value);
    let width = width(&literal);
    if column + width > LINE && 4 + width <= LINE {
        format!("(\n    {literal}\n)")
    } else {
        literal
    }
}

/// How wide a line is; characters beyond ASCII may take two columns.
fn width(line: &str) -> usize {
    line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

/// A path as a list that begins in that column of its line, with `EACH` for null. Where the line
/// would be too long, the steps stand on lines of their own.
pub(crate) fn path(steps: &[Value], column: usize, indentation: usize) -> String {
    let step = |step: &Value| if step.is_null() { "EACH".to_owned() } else { literal(step) };
    let steps: Vec<String> = steps.iter().map(step).collect();
    let line = format!("[{}]", steps.join(", "));
    // A comma may follow.
    if column + width(&line) < LINE {
        return line;
    }
    let indent = " ".repeat(indentation);
    let steps: String = steps.iter().map(|step| format!("{indent}    {step},\n")).collect();
    format!("[\n{steps}{indent}]")
}

/// In double quotes, unless single quotes need fewer escapes. Nothing that ends a line, or cannot
/// be seen, stands there as it is.
fn string(text: &str) -> String {
    let count = |quote| text.chars().filter(|c| *c == quote).count();
    let quote = if count('"') > count('\'') { '\'' } else { '"' };
    let mut literal = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            c if c == quote => literal.extend(['\\', c]),
            c if c.is_control() || is_invisible(c) => {
                literal.push_str(&match u32::from(c) {
                    code @ ..=0xff => format!("\\x{code:02x}"),
                    code @ ..=0xffff => format!("\\u{code:04x}"),
                    code => format!("\\U{code:08x}"),
                });
            }
            c => literal.push(c),
        }
    }
    literal.push(quote);
    literal
}

/// White space but the space, and marks that join or turn what stands beside them.
fn is_invisible(c: char) -> bool {
    (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quotes_are_those_that_need_fewer_escapes() {
        for (text, expected) in [
            ("plain", r#""plain""#),
            ("it's", r#""it's""#),
            (r#"say "hi""#, r#"'say "hi"'"#),
            (r#"it's "it""#, r#"'it\'s "it"'"#),
            ("back\\slash", r#""back\\slash""#),
            ("two\nlines\u{2028}\u{7f}\u{202e}é", r#""two\nlines\u2028\x7f\u202eé""#),
        ] {
            assert_eq!(string(text), expected);
        }
    }

    #[test]
    fn long_paths_are_broken_into_lines() {
        let steps = [json!(null), json!("a".repeat(30)), json!(0)];
        assert_eq!(path(&steps, 16, 8), format!("[EACH, \"{}\", 0]", "a".repeat(30)));
        let broken = path(&steps, 60, 8);
        assert_eq!(broken.lines().collect::<Vec<_>>()[1], "            EACH,");
        assert!(broken.ends_with("            0,\n        ]"));
    }
}
