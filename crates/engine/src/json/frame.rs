//! Finds where JSON records begin and end: one per line, run together, over several lines, or in
//! an array; and, after a broken record, where the next one begins.
//!
//! A good record's end is where the walker arrives, so its bytes are read once. Only after a fault
//! are bytes searched for the next record: at the record's own closing brace if braces and quotes
//! balance, at the next line that begins with `{`, or at the next `}{`.

use super::scan::{self, Stop, skip_value};
use super::walk::Walker;
use crate::fault::RecordFault;
use crate::frame::Frame;

/// Frames the records of one file.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    array: Array,
    /// How far the next record's line is indented; nothing if it begins elsewhere in its line.
    indent: Option<usize>,
    started: bool,
}

/// Where in a top-level array the framer is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Array {
    #[default]
    Outside,
    /// Behind `[`
    Start,
    /// Behind an element
    Element,
    /// Behind a comma
    Comma,
}

/// Record separators between objects outside arrays: a comma, as hand-made lists have it, and
/// RFC 7464's.
const SEPARATORS: [u8; 2] = [b',', 0x1e];

impl Framer {
    /// The next frame in `bytes` from `at` on; `last` says that nothing follows `bytes`.
    pub(crate) fn next(
        &mut self,
        walker: &mut Walker,
        bytes: &[u8],
        at: usize,
        last: bool,
    ) -> Frame {
        if !self.started {
            self.started = true;
            self.indent = Some(0);
        }
        let mut at = at;
        loop {
            at = self.skip_white_space(bytes, at);
            let Some(first) = bytes.get(at) else {
                return self.at_end(at, last);
            };
            match (first, self.array) {
                (b'{', _) => return self.record(walker, bytes, at, last),
                (b'[', Array::Outside) => self.array = Array::Start,
                (b']', Array::Start | Array::Element) => self.array = Array::Outside,
                (b']', Array::Comma) => {
                    self.array = Array::Outside;
                    return Frame::Fault(at..at + 1, RecordFault::Json("`]` behind a comma"));
                }
                (b',', Array::Element) => self.array = Array::Comma,
                (separator, Array::Outside) if SEPARATORS.contains(separator) => {}
                _ => return self.no_record(bytes, at, last),
            }
            at += 1;
            self.indent = None;
        }
    }

    fn skip_white_space(&mut self, bytes: &[u8], mut at: usize) -> usize {
        loop {
            match bytes.get(at) {
                Some(b'\n') => self.indent = Some(0),
                Some(b' ' | b'\t') => self.indent = self.indent.map(|indent| indent + 1),
                Some(b'\r') => {}
                _ => return at,
            }
            at += 1;
        }
    }

    fn at_end(&mut self, at: usize, last: bool) -> Frame {
        if !last {
            return Frame::More(at);
        }
        if self.array != Array::Outside {
            self.array = Array::Outside;
            return Frame::Fault(at..at, RecordFault::UnclosedArray);
        }
        Frame::Done
    }

    fn in_array(&self) -> bool {
        self.array != Array::Outside
    }

    fn finish(&mut self, frame: Frame) -> Frame {
        if self.in_array() {
            self.array = Array::Element;
        }
        self.indent = None;
        frame
    }

    /// The record that begins at `at`.
    fn record(&mut self, walker: &mut Walker, bytes: &[u8], at: usize, last: bool) -> Frame {
        let fault = match walker.walk(bytes, at) {
            Ok(end) => match self.what_follows(bytes, end) {
                Follows::Record | Follows::Nothing if last => {
                    return self.finish(Frame::Record(at..end));
                }
                Follows::Record => return self.finish(Frame::Record(at..end)),
                Follows::Nothing => return Frame::More(at),
                Follows::Other(_) => RecordFault::Json("text behind the object's `}`"),
            },
            Err(Stop::End) if !last => return Frame::More(at),
            Err(Stop::End) => RecordFault::Unfinished,
            Err(Stop::Syntax(syntax)) => RecordFault::Json(syntax.fault),
        };
        match self.end_of_broken(bytes, at, last) {
            Some(end) if fault == RecordFault::Unfinished && end < bytes.len() => self.finish(
                Frame::Fault(at..end, RecordFault::Json("the object's `}` is missing")),
            ),
            Some(end) => self.finish(Frame::Fault(at..end, fault)),
            None => Frame::More(at),
        }
    }

    /// What stands behind a value that ends before `at`.
    fn what_follows(&self, bytes: &[u8], at: usize) -> Follows {
        let blank = |c: &u8| matches!(c, b' ' | b'\t' | b'\r');
        let at = at + bytes[at..].iter().take_while(|c| blank(c)).count();
        match bytes.get(at) {
            None => Follows::Nothing,
            Some(b'\n' | b'{' | b',') => Follows::Record,
            Some(b']') if self.in_array() => Follows::Record,
            Some(b'[') if !self.in_array() => Follows::Record,
            Some(c) if !self.in_array() && SEPARATORS.contains(c) => Follows::Record,
            Some(_) => Follows::Other(at),
        }
    }

    /// Where the broken record that begins at `start` ends; nothing if more bytes are needed to
    /// tell.
    fn end_of_broken(&self, bytes: &[u8], start: usize, last: bool) -> Option<usize> {
        match self.balanced_end(bytes, start) {
            Balanced::At(end) => match self.what_follows(bytes, end) {
                Follows::Record => Some(end),
                Follows::Nothing => last.then_some(bytes.len()),
                Follows::Other(at) => {
                    let ends = |c: &u8| match c {
                        b'\n' | b'{' => true,
                        b',' | b']' => self.in_array(),
                        _ => false,
                    };
                    let next = bytes[at..].iter().position(ends);
                    next.map(|next| at + next).or(last.then_some(bytes.len()))
                }
            },
            Balanced::NewLine(end) => Some(end),
            Balanced::Never => self.next_beginning(bytes, start, last),
            Balanced::Unknown if last => self.next_beginning(bytes, start, last),
            Balanced::Unknown => None,
        }
    }

    /// Where braces and brackets outside strings balance.
    fn balanced_end(&self, bytes: &[u8], start: usize) -> Balanced {
        let mut depth = 0_usize;
        let mut at = start;
        while let Some(next) = bytes.get(at) {
            match next {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return Balanced::At(at + 1);
                    }
                }
                b'"' => match string_end(bytes, at + 1) {
                    Ok(end) => at = end,
                    Err(Stop::End) => return Balanced::Unknown,
                    Err(Stop::Syntax(_)) => return Balanced::Never,
                },
                b'\n' => match self.begins_record(bytes, at) {
                    Some(true) => return Balanced::NewLine(at),
                    Some(false) => {}
                    None => return Balanced::Unknown,
                },
                _ => {}
            }
            at += 1;
        }
        Balanced::Unknown
    }

    /// Whether a record begins in the line behind the line break at `at`: in its first column, or
    /// as far in as the record before it. Nothing if the bytes end before that can be told.
    fn begins_record(&self, bytes: &[u8], at: usize) -> Option<bool> {
        if *bytes.get(at + 1)? == b'{' {
            return Some(true);
        }
        let Some(indent) = self.indent.filter(|indent| *indent > 0) else {
            return Some(false);
        };
        let line = &bytes[at + 1..];
        let blanks = line
            .iter()
            .take_while(|c| matches!(c, b' ' | b'\t'))
            .take(indent + 1)
            .count();
        if blanks == line.len() {
            return None;
        }
        Some(blanks == indent && line[blanks] == b'{')
    }

    /// The next place that looks like the beginning of a record, whatever quotes and braces say.
    fn next_beginning(&self, bytes: &[u8], start: usize, last: bool) -> Option<usize> {
        for at in memchr::memchr2_iter(b'\n', b'}', &bytes[start..]).map(|at| start + at) {
            if bytes[at] == b'}' {
                match bytes.get(at + 1) {
                    Some(b'{') => return Some(at + 1),
                    Some(_) => {}
                    None if last => {}
                    None => return None,
                }
            } else {
                match self.begins_record(bytes, at) {
                    Some(true) => return Some(at),
                    Some(false) => {}
                    None if last => {}
                    None => return None,
                }
            }
        }
        last.then_some(bytes.len())
    }

    /// Something that does not begin as an object does.
    fn no_record(&mut self, bytes: &[u8], at: usize, last: bool) -> Frame {
        let (end, fault) = match skip_value(bytes, at, 0) {
            Ok(end) => match self.what_follows(bytes, end) {
                Follows::Record => (Some(end), RecordFault::NotAnObject),
                Follows::Nothing if last => (Some(end), RecordFault::NotAnObject),
                Follows::Nothing => (None, RecordFault::NotAnObject),
                Follows::Other(_) => (
                    self.end_of_text(bytes, at, last),
                    RecordFault::Json("an object was expected"),
                ),
            },
            Err(Stop::End) if !last => (None, RecordFault::Unfinished),
            Err(_) => (
                self.end_of_text(bytes, at, last),
                RecordFault::Json("an object was expected"),
            ),
        };
        match end {
            Some(end) => self.finish(Frame::Fault(at..end, fault)),
            None => Frame::More(at),
        }
    }

    /// Where text that is no JSON ends: with its line, before the next `{` behind a `}`, and in an
    /// array before its comma or bracket.
    fn end_of_text(&self, bytes: &[u8], start: usize, last: bool) -> Option<usize> {
        // The first byte is no beginning of anything, or it would not be here.
        for (at, c) in bytes.iter().enumerate().skip(start + 1) {
            match c {
                b'\n' => return Some(at),
                b'{' if self.in_array() || bytes[at - 1] == b'}' => return Some(at),
                b',' | b']' if self.in_array() => return Some(at),
                _ => {}
            }
        }
        last.then_some(bytes.len())
    }
}

enum Follows {
    /// White space to the end of the bytes
    Nothing,
    /// A line break or whatever else may stand between records
    Record,
    /// Something else, at this place
    Other(usize),
}

enum Balanced {
    /// Behind the closing brace
    At(usize),
    /// At a line break before another record
    NewLine(usize),
    /// Not at all: a string holds a line break
    Never,
    /// Not within these bytes
    Unknown,
}

/// The closing quote of a string, however wrong its escapes and control characters; only a line
/// break shows that the quote is missing.
fn string_end(bytes: &[u8], mut at: usize) -> Result<usize, Stop> {
    loop {
        let found = memchr::memchr3(b'"', b'\\', b'\n', &bytes[at..]).ok_or(Stop::End)? + at;
        match bytes[found] {
            b'"' => return Ok(found),
            b'\n' => return scan::syntax(found, "a line break inside a string"),
            _ => at = found + 2,
        }
        if at > bytes.len() {
            return Err(Stop::End);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::projection::Projection;

    /// The frames of a text as `record`, or `!fault` for what is none.
    fn frames(text: &str) -> Vec<String> {
        let whole = framed(text, text.len().max(1));
        for block in [1, 2, 3, 7, 16] {
            assert_eq!(framed(text, block), whole, "in blocks of {block}: {text}");
        }
        whole
    }

    fn framed(text: &str, block: usize) -> Vec<String> {
        let mut walker = Walker::new(Projection::empty());
        let mut framer = Framer::default();
        let bytes = text.as_bytes();
        let (mut at, mut end, mut base) = (0, block.min(bytes.len()), 0);
        let mut found = Vec::new();
        loop {
            let window = &bytes[base..end];
            let shown = |range: Range<usize>| text[base + range.start..base + range.end].to_owned();
            match framer.next(&mut walker, window, at - base, end == bytes.len()) {
                Frame::Record(range) => {
                    at = base + range.end;
                    found.push(shown(range));
                }
                Frame::Fault(range, _) => {
                    at = base + range.end;
                    found.push(format!("!{}", shown(range)));
                }
                Frame::More(from) => {
                    at = base + from;
                    base = at;
                    end = (end + block).min(bytes.len());
                }
                Frame::Done => return found,
            }
        }
    }

    #[test]
    fn every_way_that_objects_lie_around_is_read() {
        let two = [r#"{"a":1}"#, r#"{"a":{"b":"}{"}}"#];
        for text in [
            "{\"a\":1}\n{\"a\":{\"b\":\"}{\"}}\n",
            "{\"a\":1}\r\n\r\n{\"a\":{\"b\":\"}{\"}}",
            r#"{"a":1}{"a":{"b":"}{"}}"#,
            r#"  {"a":1} {"a":{"b":"}{"}}  "#,
            r#"[{"a":1},{"a":{"b":"}{"}}]"#,
            "[\n  {\"a\":1},\n  {\"a\":{\"b\":\"}{\"}}\n]\n",
            r#"[{"a":1}][{"a":{"b":"}{"}}]"#,
            "{\"a\":1},\n{\"a\":{\"b\":\"}{\"}}\n",
            "\u{1e}{\"a\":1}\n\u{1e}{\"a\":{\"b\":\"}{\"}}\n",
            "[]{\"a\":1}[ ]\n{\"a\":{\"b\":\"}{\"}}",
        ] {
            assert_eq!(frames(text), two, "{text}");
        }
        assert_eq!(
            frames("{\n  \"a\": [\n    {\n    }\n  ]\n}\n{\n}\n").len(),
            2
        );
        assert!(frames(" \n\t ").is_empty());
    }

    #[test]
    fn a_broken_record_is_set_aside_alone() {
        let good = r#"{"a":1}"#;
        for bad in [
            r#"{"a":01}"#,
            r#"{"a":tru}"#,
            r#"{"a":"x\q"}"#,
            r#"{"a":1}}"#,
            r#"{"a":1} x"#,
            r#"{"a":[1,]}"#,
            r#"{"a":1"#,
            r#"{"a":"#,
            r#"{"a":[{"#,
            r#"{"a":"unclosed"#,
            r#"{"a":]}"#,
            r#"{a:1}"#,
            "{\"a\":\"tab\there\"}",
            r#"not json"#,
            r#"42"#,
            r#""text""#,
            r#"}"#,
            r#"2024-01-01 {"a":1}"#,
        ] {
            let expected = [good.to_owned(), format!("!{bad}"), good.to_owned()];
            assert_eq!(
                frames(&format!("{good}\n{bad}\n{good}\n")),
                expected,
                "lines: {bad}"
            );
        }
    }

    #[test]
    fn run_together_the_next_record_is_found_too() {
        let good = r#"{"a":1}"#;
        for bad in [r#"{"a":01}"#, r#"{"a":[1,]}"#, r#"{a:1}"#, r#"{"a":1}}"#] {
            let expected = [good.to_owned(), format!("!{bad}"), good.to_owned()];
            assert_eq!(
                frames(&format!("{good}{bad}{good}")),
                expected,
                "run together: {bad}"
            );
            let text = format!("[{good},{bad},{good}]");
            assert_eq!(frames(&text), expected, "array: {bad}");
        }
        // The quotes no longer pair: what is lost with the broken record is in its own bytes.
        assert_eq!(
            frames(r#"{"a":1}{"a":"x{"a":2}{"a":3}{"a":4}"#),
            [
                r#"{"a":1}"#,
                r#"!{"a":"x{"a":2}"#,
                r#"{"a":3}"#,
                r#"{"a":4}"#
            ]
        );
    }

    #[test]
    fn pretty_printed_records_recover_at_their_own_indent() {
        let text = "[\n  {\n    \"a\": \"line\nbreak\",\n    \"b\": [\n      {\"c\": 1}\n    ]\n  },\n  {\n    \"a\": 2\n  }\n]\n";
        let found = frames(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with('!'));
        assert_eq!(found[1], "{\n    \"a\": 2\n  }");
    }

    #[test]
    fn a_file_cut_short_ends_with_a_fault() {
        assert_eq!(frames(r#"{"a":1}{"a""#), [r#"{"a":1}"#, r#"!{"a""#]);
        assert_eq!(frames(r#"[{"a":1},"#), [r#"{"a":1}"#, "!"]);
        assert_eq!(frames("["), ["!"]);
    }
}
