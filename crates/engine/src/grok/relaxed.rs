//! A regular expression without what only backtracking can find: it matches wherever the whole one
//! does, and elsewhere, too, but says in one pass that a line cannot match at all.

use std::iter::Peekable;
use std::str::Chars;

/// What stands for an assertion, so that a quantifier behind it has something to repeat.
const NOTHING: &str = "(?:)";

/// The expression without its assertions, or nothing if it has something in it that cannot be left
/// out.
pub(super) fn relaxed(regex: &str) -> Option<String> {
    let mut out = String::with_capacity(regex.len());
    let mut chars = regex.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out)?,
            '[' => class(&mut chars, &mut out)?,
            '(' if chars.next_if_eq(&'?').is_some() => group(&mut chars, &mut out)?,
            '(' => out.push_str("(?:"),
            c => out.push(c),
        }
    }
    Some(out)
}

fn escape(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    match chars.next()? {
        'b' | 'B' => out.push_str(NOTHING),
        c => out.extend(['\\', c]),
    }
    Some(())
}

/// A class as it is, of which `[` is read.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    out.extend(chars.next_if_eq(&'^'));
    // At the beginning the bracket itself.
    out.extend(chars.next_if_eq(&']'));
    loop {
        match chars.next()? {
            '\\' => out.extend(['\\', chars.next()?]),
            '[' => class(chars, out)?,
            ']' => {
                out.push(']');
                return Some(());
            }
            c => out.push(c),
        }
    }
}

/// A group that begins with `(?`, which is read.
fn group(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    let behind = chars.next()?;
    match behind {
        ':' | '>' => out.push_str("(?:"),
        '=' | '!' => assertion(chars, out)?,
        '<' if matches!(chars.peek(), Some('=' | '!')) => assertion(chars, out)?,
        '<' | 'P' => {
            chars.find(|c| *c == '>')?;
            out.push_str("(?:");
        }
        'i' | 'm' | 's' | '-' => {
            out.extend(["(?", behind.encode_utf8(&mut [0; 4])]);
            let flags =
                std::iter::from_fn(|| chars.next_if(|c| matches!(c, 'i' | 'm' | 's' | '-')));
            out.extend(flags);
        }
        _ => return None,
    }
    Some(())
}

/// Passes over an assertion up to the bracket that closes it.
fn assertion(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    let mut depth = 0;
    loop {
        match chars.next()? {
            '\\' => drop(chars.next()?),
            '[' => class(chars, &mut String::new())?,
            '(' => depth += 1,
            ')' if depth == 0 => {
                out.push_str(NOTHING);
                return Some(());
            }
            ')' => depth -= 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_and_captures_are_left_out() {
        for (regex, expected) in [
            (r"a(?<![0-9(\)])b(?=(c)\)[)])d(?!x)(?<=y)", "a(?:)b(?:)d(?:)(?:)"),
            (r"\bx\B\\b[\b\]]", r"(?:)x(?:)\\b[\b\]]"),
            (r"(?>a|b)(c)(?<d_1>e)(?P<f>g)(?:h)\(", r"(?:a|b)(?:c)(?:e)(?:g)(?:h)\("),
            ("[]()](?i)[^]([[:alnum:](]](?i-s:x)", "[]()](?i)[^]([[:alnum:](]](?i-s:x)"),
        ] {
            assert_eq!(relaxed(regex).as_deref(), Some(expected), "{regex}");
        }
        for regex in ["(?x) a # (?=", "(?#comment)", "(?(1)a|b)", "[a", "(?=a", "\\", "(?R)"] {
            assert_eq!(relaxed(regex), None, "{regex}");
        }
    }
}
