//! Finds where JSON records begin and end: one per line, run together, over several lines, or in
//! an array; and, after a broken record, where the next one begins.
//!
//! A good record's end is where the walker arrives, so its bytes are read once. Only after a fault
//! are bytes searched for the next record, and with care: an object inside a broken record must
//! not become a record of its own. In valid JSON an object inside another stands behind `[`, `,` or
//! `:`, so a `{` behind anything else begins a record; behind those it does so only where the
//! layout says so (see [`Framer::begins_record`]). What lies between is in the rejected bytes.

use super::scan::{self, Stop, skip_value};
use super::walk::Walker;
use crate::fault::RecordFault;
use crate::frame::Frame;

/// Frames the records of one file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Framer {
    array: Array,
    /// Whether commas separate records outside arrays
    commas: bool,
    /// What was before the bytes at hand
    before: Before,
}

/// What is known of the line that the bytes at hand begin in, and of the one before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Before {
    indent: usize,
    /// Whether there is more than the indent in the line
    mid_line: bool,
    /// Whether the line before was one whole record
    whole_line: bool,
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

/// RFC 7464 puts this before each record; inside valid JSON it cannot stand.
const RECORD_SEPARATOR: u8 = 0x1e;

impl Framer {
    /// Behind a line that is one whole record.
    pub(crate) fn behind_line() -> Self {
        Self { before: Before { whole_line: true, ..Before::default() }, ..Self::default() }
    }

    /// In the middle of the only line.
    pub(crate) fn within_line() -> Self {
        Self { before: Before { mid_line: true, ..Before::default() }, ..Self::default() }
    }

    /// The next frame in `bytes` from `at` on; `last` says that nothing follows `bytes`.
    #[inline]
    pub(crate) fn next(
        &mut self,
        walker: &mut Walker,
        bytes: &[u8],
        at: usize,
        last: bool,
    ) -> Frame {
        let mut at = at;
        let frame = loop {
            at = scan::skip_white_space(bytes, at);
            let Some(first) = bytes.get(at) else {
                break self.at_end(at, last);
            };
            match (first, self.array) {
                (b'{', _) => break self.record(walker, bytes, at, last),
                (b'[', Array::Outside) => self.array = Array::Start,
                (b']', Array::Start | Array::Element) => self.array = Array::Outside,
                (b']', Array::Comma) => {
                    self.array = Array::Outside;
                    break Frame::Fault(at..at + 1, RecordFault::Json("`]` behind a comma"));
                }
                (b',', Array::Element) => self.array = Array::Comma,
                (b',', Array::Outside) => self.commas = true,
                (&RECORD_SEPARATOR, Array::Outside) => {}
                _ => break self.no_record(bytes, at, last),
            }
            at += 1;
        };
        if let Frame::More(from) = frame {
            self.before = self.before(bytes, from);
        }
        frame
    }

    /// Gives up finding the end of the record that begins at `start`: where the next one begins, if
    /// it can be told.
    pub(crate) fn give_up(&mut self, bytes: &[u8], start: usize) -> Option<Frame> {
        let end = self.resume(bytes, start, start + 1, false)?;
        Some(
            self.finish(Frame::Fault(start..end, RecordFault::Json("the object's `}` is missing"))),
        )
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
        frame
    }

    /// The record that begins at `at`.
    fn record(&mut self, walker: &mut Walker, bytes: &[u8], at: usize, last: bool) -> Frame {
        let fault = match walker.walk(bytes, at) {
            Ok(end) => match self.what_follows(bytes, end) {
                Follows::Nothing if !last => return Frame::More(at),
                Follows::Nothing | Follows::Record => return self.finish(Frame::Record(at..end)),
                Follows::Other(_) => RecordFault::Json("text behind the object's `}`"),
            },
            Err(Stop::End) if !last => return Frame::More(at),
            Err(stop) => stop.into(),
        };
        match self.end_of_broken(bytes, at, last) {
            Some(end) if fault == RecordFault::Unfinished && end < bytes.len() => {
                self.finish(Frame::Fault(at..end, RecordFault::Json("the object's `}` is missing")))
            }
            Some(end) => self.finish(Frame::Fault(at..end, fault)),
            None => Frame::More(at),
        }
    }

    /// What stands behind a value that ends before `at`.
    #[inline(always)]
    fn what_follows(&self, bytes: &[u8], at: usize) -> Follows {
        if let Some(b'\n' | b'{') = bytes.get(at) {
            return Follows::Record;
        }
        let blank = |c: &u8| matches!(c, b' ' | b'\t' | b'\r');
        let at = at + bytes[at..].iter().take_while(|c| blank(c)).count();
        match bytes.get(at) {
            None => Follows::Nothing,
            Some(b'\n' | b'{' | b',') => Follows::Record,
            Some(b']') if self.in_array() => Follows::Record,
            Some(b'[' | &RECORD_SEPARATOR) if !self.in_array() => Follows::Record,
            Some(_) => Follows::Other(at),
        }
    }

    /// Where the broken record that begins at `start` ends; nothing if more bytes are needed to
    /// tell.
    fn end_of_broken(&self, bytes: &[u8], start: usize, last: bool) -> Option<usize> {
        match self.balanced_end(bytes, start, last) {
            Balanced::At(end) => match self.what_follows(bytes, end) {
                // With a quote missing, braces inside strings may seem to balance.
                Follows::Record if bytes[end] == b'{' => {
                    match self.begins_record(bytes, start, end) {
                        Some(true) => Some(end),
                        None if !last => None,
                        _ => self.resume(bytes, start, start + 1, last),
                    }
                }
                // With a brace too many, what follows may be the rest of the same record.
                Follows::Record if self.may_go_on(bytes, end) => {
                    self.end_of_text(bytes, start, end, last)
                }
                Follows::Record => Some(end),
                Follows::Nothing => last.then_some(bytes.len()),
                Follows::Other(at) => self.end_of_text(bytes, start, at, last),
            },
            Balanced::Boundary(end) => Some(end),
            Balanced::Never => self.resume(bytes, start, start + 1, last),
            Balanced::Unknown if last => self.resume(bytes, start, start + 1, last),
            Balanced::Unknown => None,
        }
    }

    /// Whether what is behind a broken record's `}` could be more of it: an array, or a comma where
    /// commas do not separate records.
    fn may_go_on(&self, bytes: &[u8], at: usize) -> bool {
        match bytes[at..].trim_ascii_start().first() {
            Some(b'[') => true,
            Some(b',') => !self.in_array() && !self.commas,
            _ => false,
        }
    }

    /// Where braces and brackets outside strings balance, or where another record begins first.
    fn balanced_end(&self, bytes: &[u8], start: usize, last: bool) -> Balanced {
        let mut depth = 0_usize;
        let mut at = start;
        while let Some(next) = bytes.get(at) {
            match next {
                b'{' if at > start => match self.begins_record(bytes, start, at) {
                    Some(true) => return Balanced::Boundary(end_before(bytes, start, at)),
                    None if !last => return Balanced::Unknown,
                    _ => depth += 1,
                },
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
                &RECORD_SEPARATOR => return Balanced::Boundary(end_before(bytes, start, at)),
                _ => {}
            }
            at += 1;
        }
        Balanced::Unknown
    }

    /// Where to end a broken record whose quotes do not pair: before the next `{`, from `from` on,
    /// that begins a record. Nothing if more bytes are needed to tell.
    fn resume(&self, bytes: &[u8], start: usize, from: usize, last: bool) -> Option<usize> {
        for at in memchr::memchr2_iter(b'{', RECORD_SEPARATOR, &bytes[from..]).map(|at| from + at) {
            if bytes[at] == RECORD_SEPARATOR {
                return Some(end_before(bytes, start, at));
            }
            match self.begins_record(bytes, start, at) {
                Some(true) => return Some(end_before(bytes, start, at)),
                None if !last => return None,
                _ => {}
            }
        }
        last.then_some(bytes.len())
    }

    /// Whether the `{` at `at` begins a record, seen from the broken record that begins at `start`.
    /// Nothing if the bytes end before that can be told.
    ///
    /// Where records stand on lines of their own, each such line is one. Elsewhere a line that begins
    /// a record is indented no further than the broken one; in the middle of a line a record
    /// stands behind `}`, if the broken one began or ended there too. Behind `[` or `:` none
    /// begins, and behind `,` only where commas separate records: the `,` stands behind a `}`, and
    /// both objects have the same first name.
    fn begins_record(&self, bytes: &[u8], start: usize, at: usize) -> Option<bool> {
        let (previous, new_line) = last_before(bytes, at);
        let name = match first_name(bytes, at) {
            Ok(name) => name,
            Err(Stop::End) => return None,
            Err(Stop::Syntax(_)) => return Some(false),
        };
        if new_line && bytes[at - 1] == b'\n' && self.before(bytes, start).whole_line {
            return Some(true);
        }
        let may_begin_line = || self.before(bytes, at).indent <= self.before(bytes, start).indent;
        Some(match bytes[previous] {
            RECORD_SEPARATOR => true,
            b'[' | b':' | b'{' => false,
            b',' => {
                let (behind, _) = last_before(bytes, previous);
                (self.in_array() || self.commas)
                    && bytes[behind] == b'}'
                    && first_name(bytes, start) == Ok(name)
                    && (!new_line || may_begin_line())
            }
            _ if new_line => may_begin_line(),
            // Run together in one line, as what came before.
            b'}' | b']' => {
                memchr::memchr(b'\n', &bytes[start..at]).is_none()
                    || self.before(bytes, start).mid_line
            }
            _ => false,
        })
    }

    /// What there is before `at` in its line, and before that.
    fn before(&self, bytes: &[u8], at: usize) -> Before {
        let blank = |c: &&u8| matches!(c, b' ' | b'\t' | b'\r');
        let Some(line) = memchr::memrchr(b'\n', &bytes[..at]) else {
            let blanks = bytes[..at].iter().take_while(blank).count();
            let more = if self.before.mid_line { 0 } else { blanks };
            return Before {
                indent: self.before.indent + more,
                mid_line: self.before.mid_line || blanks < at,
                whole_line: self.before.whole_line,
            };
        };
        let in_line = &bytes[line + 1..at];
        let indent = in_line.iter().take_while(blank).count();
        let line_before = match memchr::memrchr(b'\n', &bytes[..line]) {
            Some(start) => &bytes[start + 1..line],
            None if self.before.mid_line => &[],
            None => &bytes[..line],
        };
        let line_before = line_before.trim_ascii_end();
        let whole_line = line_before.first() == Some(&b'{')
            && skip_value(line_before, 0, 0) == Ok(line_before.len());
        Before { indent, mid_line: indent < in_line.len(), whole_line }
    }

    /// Something that does not begin as an object does.
    fn no_record(&mut self, bytes: &[u8], at: usize, last: bool) -> Frame {
        let (end, fault) = match skip_value(bytes, at, 0) {
            Ok(end) => match self.what_follows(bytes, end) {
                Follows::Record => (Some(end), RecordFault::NotAnObject),
                Follows::Nothing => (last.then_some(end), RecordFault::NotAnObject),
                Follows::Other(_) => (
                    self.end_of_text(bytes, at, at, last),
                    RecordFault::Json("an object was expected"),
                ),
            },
            Err(Stop::End) if !last => (None, RecordFault::Unfinished),
            Err(_) => {
                (self.end_of_text(bytes, at, at, last), RecordFault::Json("an object was expected"))
            }
        };
        match end {
            Some(end) => self.finish(Frame::Fault(at..end, fault)),
            None => Frame::More(at),
        }
    }

    /// Where text from `at` on that is no JSON ends, as part of what begins at `start`: with its line
    /// where records stand on lines, else before the next record; in an array a plain word ends
    /// with its comma or bracket.
    fn end_of_text(&self, bytes: &[u8], start: usize, at: usize, last: bool) -> Option<usize> {
        if !self.in_array() {
            if !self.before(bytes, start).whole_line {
                return self.resume(bytes, start, at, last);
            }
            let line = memchr::memchr(b'\n', &bytes[at..]).map(|length| at + length);
            return line.or(last.then_some(bytes.len()));
        }
        let ends = |c: &u8| matches!(c, b',' | b']' | b'"' | b'{' | b'[');
        if bytes[start] == b',' {
            return Some(start + 1);
        }
        let from = at.max(start + 1);
        match bytes[from..].iter().position(ends).map(|length| from + length) {
            Some(end) if matches!(bytes[end], b',' | b']') => Some(end),
            Some(end) => self.resume(bytes, start, end, last),
            None => last.then_some(bytes.len()),
        }
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
    /// Where the bytes before another record end
    Boundary(usize),
    /// Not at all: a string holds a line break
    Never,
    /// Not within these bytes
    Unknown,
}

/// The last byte before `at` that is no white space, and whether a line break is in between. What
/// comes first counts as a line break.
fn last_before(bytes: &[u8], at: usize) -> (usize, bool) {
    let white = |c: &u8| matches!(c, b' ' | b'\t' | b'\r' | b'\n');
    match bytes[..at].iter().rposition(|c| !white(c)) {
        Some(previous) => (previous, bytes[previous + 1..at].contains(&b'\n')),
        None => (0, true),
    }
}

/// Where what begins at `start` ends before a record at `at`: without the white space, comma or
/// separator between them.
fn end_before(bytes: &[u8], start: usize, at: usize) -> usize {
    let (previous, _) = last_before(bytes, at);
    let end = match bytes[previous] {
        b',' | RECORD_SEPARATOR => last_before(bytes, previous).0 + 1,
        _ => previous + 1,
    };
    // A comma too many is itself what begins there.
    end.max(start + 1)
}

/// The first name of the object that begins at `at`, as it stands there; none of an empty object.
fn first_name(bytes: &[u8], at: usize) -> Result<Option<&[u8]>, Stop> {
    let inside = scan::skip_white_space(bytes, at + 1);
    if scan::byte(bytes, inside)? == b'}' {
        return Ok(None);
    }
    scan::key(bytes, inside).map(|(key, _)| Some(key.raw))
}

/// The closing quote of a string, however wrong its escapes and control characters; only a line
/// break shows that the quote is missing.
fn string_end(bytes: &[u8], mut at: usize) -> Result<usize, Stop> {
    loop {
        let rest = bytes.get(at..).ok_or(Stop::End)?;
        let found = memchr::memchr3(b'"', b'\\', b'\n', rest).ok_or(Stop::End)? + at;
        match bytes[found] {
            b'"' => return Ok(found),
            b'\n' => return scan::syntax(found, "a line break inside a string"),
            _ => at = found + 2,
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
        assert_eq!(frames("{\n  \"a\": [\n    {\n    }\n  ]\n}\n{\n}\n").len(), 2);
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
            assert_eq!(frames(&format!("{good}\n{bad}\n{good}\n")), expected, "lines: {bad}");
        }
    }

    #[test]
    fn run_together_the_next_record_is_found_too() {
        let good = r#"{"a":1}"#;
        for bad in [r#"{"a":01}"#, r#"{"a":[1,]}"#, r#"{a:1}"#, r#"{"a":1}}"#] {
            let expected = [good.to_owned(), format!("!{bad}"), good.to_owned()];
            assert_eq!(frames(&format!("{good}{bad}{good}")), expected, "run together: {bad}");
            let text = format!("[{good},{bad},{good}]");
            assert_eq!(frames(&text), expected, "array: {bad}");
        }
        // The quotes no longer pair: what is lost with the broken record is in its own bytes.
        assert_eq!(
            frames(r#"{"a":1}{"a":"x{"a":2}{"a":3}{"a":4}"#),
            [r#"{"a":1}"#, r#"!{"a":"x{"a":2}"#, r#"{"a":3}"#, r#"{"a":4}"#]
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
    fn objects_inside_a_broken_record_do_not_become_records() {
        let next = r#"{"u":"B","i":1}"#;
        for broken in [
            "{\"u\":\"A\",\"bad\":\"x\"y\",\"history\":[\n{\"u\":\"OLD1\"},\n{\"u\":\"OLD2\"}\n]}",
            "{\"u\":\"A\",\"name\":tru,\"related\":[\n{\"u\":\"OLD\"},\n{\"u\":\"OLD2\"}\n]}",
            "{\"u\":\"A\",\"history\":[\n{\"u\":\"OLD1\"},\n{\"u\":\"OLD2\"}\n]",
            "{\n  \"u\": \"A,\n  \"more\": [\n    {\n      \"u\": \"OLD\"\n    },\n    {\"u\": \"OLD2\"}\n  ]\n}",
        ] {
            let expected = [format!("!{broken}"), next.to_owned()];
            assert_eq!(frames(&format!("{broken}\n{next}\n")), expected, "lines");
            let run_together = frames(&format!("{next}{broken}{next}"));
            assert_eq!(run_together[1..], expected, "run together");
        }
    }

    #[test]
    fn arrays_go_on_at_the_next_element() {
        let record = |n: u32| format!(r#"{{"u":"{n}","i":"}}{{","p":[{{"q":1}},{{"q":2}}]}}"#);
        let broken = r#"{"u":"B,"i":"b","p":[{"q":1},{"q":2}]}"#;
        for (open, comma, close) in
            [("[", ",", "]"), ("[", ", ", "]"), ("[\n", ",\n", "\n]"), ("[\n  ", ",\n  ", "\n]\n")]
        {
            let elements = [record(1), broken.to_owned(), record(3), record(4)].join(comma);
            let expected = [record(1), format!("!{broken}"), record(3), record(4)];
            assert_eq!(frames(&format!("{open}{elements}{close}")), expected);
        }
    }

    #[test]
    fn commas_too_many_are_faults_of_their_own() {
        let good = r#"{"a":1}"#;
        assert_eq!(frames(&format!("[,,{good},,{good}]")).iter().filter(|f| *f == good).count(), 2);
        assert_eq!(frames("[,]"), ["!,"]);
    }

    #[test]
    fn a_record_separator_ends_whatever_is_before_it() {
        let text = "\u{1e}{\"u\":1,\"p\":{\n\u{1e}{\"u\":2}\n\u{1e}{\"u\":\"x\n\u{1e}{\"u\":3}\n";
        let expected = ["!{\"u\":1,\"p\":{", "{\"u\":2}", "!{\"u\":\"x", "{\"u\":3}"];
        assert_eq!(frames(text), expected);
    }

    #[test]
    fn many_records_without_an_end_take_no_longer_than_as_many_good_ones() {
        let text = r#"{"u":"A","p":{"q":1}"#.repeat(100_000);
        assert_eq!(framed(&text, text.len()).len(), 100_000);
    }

    #[test]
    fn a_file_cut_short_ends_with_a_fault() {
        assert_eq!(frames(r#"{"a":1}{"a""#), [r#"{"a":1}"#, r#"!{"a""#]);
        assert_eq!(frames(r#"[{"a":1},"#), [r#"{"a":1}"#, "!"]);
        assert_eq!(frames("["), ["!"]);
    }
}
