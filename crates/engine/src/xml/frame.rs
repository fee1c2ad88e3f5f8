//! Finds the elements that are records, and after a broken one where the next begins.
//!
//! Markup is told from text by itself, whatever is around it. So where the tags inside a record do
//! not match, everything that is still open there is broken, and what was closed before is not: a
//! fault is looked for once, however many records it breaks.

use std::ops::Range;

use super::TOO_DEEP;
use super::object::Builder;
use super::scan::{self, Markup, is_white_space};
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::json::MAX_DEPTH;
use crate::text::ObjectFramer;

/// Frames the records of one file.
#[derive(Debug)]
pub(crate) struct Framer {
    row_tag: String,
    /// Whether the file says of itself that it is in an encoding whose text may look like UTF-8
    foreign: bool,
    /// The indent before the bytes at hand, if there is nothing else in their line
    indent: Option<usize>,
    /// The names of elements that are open
    open: Vec<Range<usize>>,
    /// Where those of them begin that would be records
    rows: Vec<usize>,
    /// Where broken records begin that a fault was found for already
    broken: Vec<(usize, RecordFault)>,
    builder: Builder,
}

/// Why an element's end was not found.
enum Stop {
    End,
    TooDeep,
    Syntax(&'static str),
}

const UNCLOSED: RecordFault = RecordFault::Xml("the element's end tag is missing");

impl ObjectFramer for Framer {
    fn next(&mut self, bytes: &[u8], at: usize, last: bool, object: &mut String) -> Frame {
        let frame = self.find(bytes, at, last, object);
        if let Frame::More(from) = frame {
            self.indent = self.indent(bytes, from);
            self.broken.retain(|(start, _)| *start >= from);
            self.broken.iter_mut().for_each(|(start, _)| *start -= from);
        }
        frame
    }

    fn give_up(&mut self, bytes: &[u8], start: usize) -> Option<Frame> {
        let (Markup::Start { name, .. }, _) = scan::markup(bytes, start)? else {
            return None;
        };
        if !self.is_row(bytes, &name) {
            return None;
        }
        let fault = self.known_fault(start).unwrap_or_else(|| {
            // What is open inside may still be closed, but is part of the same overlong text.
            let _ = self.end(bytes, start);
            self.note_broken(None);
            UNCLOSED
        });
        let end = self.end_of_broken(bytes, start, false)?;
        Some(Frame::Fault(start..end, fault))
    }
}

impl Framer {
    pub(crate) fn new(row_tag: &str) -> Self {
        Self {
            row_tag: row_tag.to_owned(),
            foreign: false,
            indent: Some(0),
            open: Vec::new(),
            rows: Vec::new(),
            broken: Vec::new(),
            builder: Builder::default(),
        }
    }

    fn find(&mut self, bytes: &[u8], mut at: usize, last: bool, object: &mut String) -> Frame {
        loop {
            let Some(length) = memchr::memchr(b'<', &bytes[at..]) else {
                return if last { Frame::Done } else { Frame::More(bytes.len()) };
            };
            at += length;
            let Some((markup, end)) = scan::markup(bytes, at) else {
                return self.cut_short(bytes, at, last);
            };
            match markup {
                Markup::Start { name, .. } | Markup::Broken { name, .. }
                    if self.is_row(bytes, &name) =>
                {
                    return self.record(bytes, at, last, object);
                }
                Markup::Instruction => self.read_declaration(&bytes[at..end]),
                _ => {}
            }
            at = end;
        }
    }

    fn is_row(&self, bytes: &[u8], name: &Range<usize>) -> bool {
        bytes[name.clone()] == *self.row_tag.as_bytes()
    }

    /// The file ends inside markup, which may be long.
    fn cut_short(&self, bytes: &[u8], at: usize, last: bool) -> Frame {
        if !last {
            return Frame::More(at);
        }
        let fault = match bytes[at + 1..].starts_with(self.row_tag.as_bytes()) {
            true => RecordFault::Unfinished,
            false => RecordFault::Xml("the file ends inside a tag, a comment or the like"),
        };
        Frame::Fault(at..bytes.len(), fault)
    }

    /// Text of an encoding of several bytes may be valid UTF-8 by chance, which in one of single
    /// bytes makes no words; and what is UTF-16 in truth does not come this far.
    fn read_declaration(&mut self, instruction: &[u8]) {
        const PLAIN: [&str; 5] = ["utf", "us-ascii", "iso-8859", "windows-125", "latin"];
        let Some(declaration) = instruction.strip_prefix(b"<?xml") else {
            return;
        };
        let mut at = 0;
        while let Some((attribute, end)) = scan::attribute(declaration, at) {
            if declaration[attribute.name] == *b"encoding" {
                let value = &declaration[attribute.value];
                let begins = |with: &&str| {
                    value.get(..with.len()).is_some_and(|v| v.eq_ignore_ascii_case(with.as_bytes()))
                };
                self.foreign = !PLAIN.iter().any(begins);
            }
            at = end;
        }
    }

    /// The record that begins at `at`.
    fn record(&mut self, bytes: &[u8], at: usize, last: bool, object: &mut String) -> Frame {
        if let Some(fault) = self.known_fault(at) {
            return self.set_aside(bytes, at, fault, last);
        }
        let stop = match self.end(bytes, at) {
            Ok(end) => return self.object(bytes, at..end, object),
            Err(Stop::End) if !last => return Frame::More(at),
            Err(stop) => stop,
        };
        let fault = match stop {
            Stop::End => RecordFault::Unfinished,
            Stop::TooDeep => RecordFault::Xml(TOO_DEEP),
            Stop::Syntax(fault) => RecordFault::Xml(fault),
        };
        let alone = self.rows.len() < 2;
        self.note_broken((!matches!(stop, Stop::TooDeep)).then_some(fault));
        self.set_aside(bytes, at, if alone { fault } else { UNCLOSED }, last)
    }

    fn object(&mut self, bytes: &[u8], range: Range<usize>, object: &mut String) -> Frame {
        let text = simdutf8::basic::from_utf8(&bytes[range.clone()]);
        let Some(text) = text.ok().filter(|text| !self.foreign || text.is_ascii()) else {
            return Frame::Fault(range, RecordFault::NotUtf8);
        };
        match self.builder.write(text, object) {
            Ok(()) => Frame::Record(range),
            Err(fault) => Frame::Fault(range, RecordFault::Xml(fault)),
        }
    }

    /// The byte after the element that begins at `start`; where there is none, what is open stays
    /// noted.
    fn end(&mut self, bytes: &[u8], start: usize) -> Result<usize, Stop> {
        self.open.clear();
        self.rows.clear();
        let mut at = start;
        loop {
            let (markup, end) = scan::markup(bytes, at).ok_or(Stop::End)?;
            match markup {
                Markup::Start { empty: true, .. } if self.open.is_empty() => return Ok(end),
                Markup::Start { empty: true, .. } => {}
                Markup::Start { name, .. } => {
                    if self.open.len() == MAX_DEPTH {
                        return Err(Stop::TooDeep);
                    }
                    if self.is_row(bytes, &name) {
                        self.rows.push(at);
                    }
                    self.open.push(name);
                }
                Markup::End { name } => {
                    let open = self.open.pop_if(|open| bytes[open.clone()] == bytes[name.clone()]);
                    if open.is_none() {
                        return Err(Stop::Syntax("an end tag of another element"));
                    }
                    if self.is_row(bytes, &name) {
                        self.rows.pop();
                    }
                    if self.open.is_empty() {
                        return Ok(end);
                    }
                }
                Markup::Doctype => return Err(Stop::Syntax("a DOCTYPE inside an element")),
                Markup::Broken { fault, .. } => return Err(Stop::Syntax(fault)),
                Markup::CData(_) | Markup::Instruction | Markup::Comment => {}
            }
            at = end + memchr::memchr(b'<', &bytes[end..]).ok_or(Stop::End)?;
        }
    }

    /// Notes what else is broken because it is open, too: all but the innermost for want of their
    /// end tags, the innermost for `fault`, if it is broken for certain.
    fn note_broken(&mut self, fault: Option<RecordFault>) {
        self.broken.clear();
        let Some((innermost, others)) = self.rows.split_last() else {
            return;
        };
        self.broken.extend(others.iter().map(|start| (*start, UNCLOSED)));
        self.broken.extend(fault.map(|fault| (*innermost, fault)));
    }

    fn known_fault(&self, start: usize) -> Option<RecordFault> {
        self.broken.iter().find(|(known, _)| *known == start).map(|(_, fault)| *fault)
    }

    fn set_aside(&self, bytes: &[u8], start: usize, fault: RecordFault, last: bool) -> Frame {
        match self.end_of_broken(bytes, start, last) {
            Some(end) if fault == RecordFault::Unfinished && end < bytes.len() => {
                Frame::Fault(start..end, UNCLOSED)
            }
            Some(end) => Frame::Fault(start..end, fault),
            None => Frame::More(start),
        }
    }

    /// Where the broken record that begins at `start` ends: behind its end tag, or else before
    /// another record; nothing if more bytes are needed to tell.
    fn end_of_broken(&self, bytes: &[u8], start: usize, last: bool) -> Option<usize> {
        let mut depth = 1;
        let mut at = start + 1;
        let end_of_file = last.then_some(bytes.len());
        loop {
            let Some(length) = memchr::memchr(b'<', &bytes[at..]) else {
                return end_of_file;
            };
            at += length;
            let Some((markup, end)) = scan::markup(bytes, at) else {
                return end_of_file;
            };
            match markup {
                Markup::Start { name, .. } | Markup::Broken { name, .. }
                    if self.is_row(bytes, &name) && self.may_begin_record(bytes, start, at) =>
                {
                    let before = bytes[..at].iter().rposition(|c| !is_white_space(c));
                    return before.map(|before| before + 1);
                }
                Markup::Start { name, empty: false } if self.is_row(bytes, &name) => depth += 1,
                Markup::End { name } if self.is_row(bytes, &name) => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(end);
                    }
                }
                _ => {}
            }
            at = end;
        }
    }

    /// Whether the element at `at` is a record and not inside the broken one that begins at
    /// `start`: where both begin their lines, it is indented no further.
    fn may_begin_record(&self, bytes: &[u8], start: usize, at: usize) -> bool {
        match (self.indent(bytes, start), self.indent(bytes, at)) {
            (Some(broken), Some(indent)) => indent <= broken,
            _ => true,
        }
    }

    /// The indent of what stands at `at`, if it begins its line.
    fn indent(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let blank = |c: &&u8| matches!(c, b' ' | b'\t');
        let blanks = bytes[..at].iter().rev().take_while(blank).count();
        match bytes[..at - blanks].last() {
            Some(b'\n') => Some(blanks),
            Some(_) => None,
            None => self.indent.map(|indent| indent + blanks),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a text's records become, or `!` and the bytes of what is none.
    fn frames(text: &str) -> Vec<String> {
        let found = framed(text.as_bytes(), text.len().max(1));
        for block in [1, 2, 3, 7, 16] {
            assert_eq!(framed(text.as_bytes(), block), found, "in blocks of {block}: {text}");
        }
        found.into_iter().map(|(shown, _)| shown).collect()
    }

    fn framed(bytes: &[u8], block: usize) -> Vec<(String, Option<RecordFault>)> {
        let mut framer = Framer::new("row");
        let mut object = String::new();
        let (mut at, mut end, mut base) = (0, block.min(bytes.len()), 0);
        let mut found = Vec::new();
        loop {
            let window = &bytes[base..end];
            match framer.next(window, at - base, end == bytes.len(), &mut object) {
                Frame::Record(range) => {
                    assert!(base + range.start >= at && range.end <= window.len());
                    at = base + range.end;
                    found.push((object.clone(), None));
                }
                Frame::Fault(range, fault) => {
                    assert!(base + range.start >= at && range.end <= window.len());
                    assert!(range.end > range.start);
                    at = base + range.end;
                    let shown = String::from_utf8_lossy(&window[range]);
                    found.push((format!("!{shown}"), Some(fault)));
                }
                Frame::More(from) => {
                    assert!(end < bytes.len() && base + from >= at);
                    at = base + from;
                    base = at;
                    end = (end + block).min(bytes.len());
                }
                Frame::Done => return found,
            }
        }
    }

    fn faults(text: &str) -> Vec<RecordFault> {
        framed(text.as_bytes(), text.len()).into_iter().filter_map(|(_, fault)| fault).collect()
    }

    const GOOD: &str = r#"{"a":"1"}"#;

    #[test]
    fn records_are_found_however_they_are_written() {
        for text in [
            "<all><row><a>1</a></row></all>",
            "<?xml version='1.0'?>\r\n<all>\r\n  <row>\r\n    <a>1</a>\r\n  </row>\r\n</all>\r\n",
            "<row\n><a >1</a\t></row >",
            "<all x='>' y=\"/>\"><row xmlns='/>'><a>1</a></row></all>",
            "<all><!-- <row><a>2</a></row> --><row><a>1</a></row><![CDATA[<row/>]]></all>",
            "<!DOCTYPE all [<!ENTITY e \"<row/>\"> <!-- <row/> -->]><row><a>1</a></row>",
            "<?x <row/> ?><rows><rower/><row><a>1<!-- </row> --><?y </row>?></a></row></rows>",
            "text <row><a><![CDATA[1]]></a></row> text",
        ] {
            assert_eq!(frames(text), [GOOD], "{text}");
        }
        assert_eq!(
            frames("<all><row a='/>'/><row/><row b='>'>x</row></all>"),
            [r#"{"_a":"/>"}"#, "{}", r#"{"_b":">","_VALUE":"x"}"#]
        );
        assert_eq!(
            frames("<row><row><a>1</a></row><b/></row><row/>"),
            [r#"{"row":{"a":"1"},"b":null}"#, "{}"]
        );
        assert!(frames("no markup").is_empty());
        assert!(frames("").is_empty());
    }

    #[test]
    fn a_broken_record_is_set_aside_alone() {
        let good = "<row><a>1</a></row>";
        for bad in [
            "<row><a>2</b></row>",
            "<row><a>2</row>",
            "<row></a></row>",
            "<row><a b=2></a></row>",
            "<row b='2' b='3'></row>",
            "<row b=2></row>",
            "<row b=\"2></row>",
            "<row><a>&nbsp;</a></row>",
            "<row>a < b</row>",
            "<row>a & b</row>",
            "<row><!DOCTYPE a></row>",
            "<row><a>2</a>",
            "<row><a>2",
            "<row b",
        ] {
            for between in ["", "\n", "\n  "] {
                let text = [good, bad, good].join(between);
                let expected = [GOOD, &format!("!{bad}"), GOOD];
                assert_eq!(frames(&format!("<all>{text}</all>")), expected, "{text}");
            }
        }
    }

    #[test]
    fn faults_say_what_is_wrong() {
        let syntax = |fault| [RecordFault::Xml(fault)];
        assert_eq!(faults("<row><a></row>"), syntax("an end tag of another element"));
        assert_eq!(faults("<row><a>"), [RecordFault::Unfinished]);
        assert_eq!(faults("<row><a"), [RecordFault::Unfinished]);
        assert_eq!(faults("<row"), [RecordFault::Unfinished]);
        assert_eq!(faults("<row><row/>"), [UNCLOSED]);
        assert_eq!(
            faults("<row/><!-- cut"),
            syntax("the file ends inside a tag, a comment or the like")
        );
        let deep = format!("<row>{}", "<a>".repeat(300));
        assert_eq!(faults(&deep), syntax(TOO_DEEP));
        let bytes = b"<row>\xff</row><row>x</row>";
        let found = framed(bytes, 3);
        assert_eq!((found[0].1, found[1].1), (Some(RecordFault::NotUtf8), None));
    }

    #[test]
    fn what_is_inside_a_broken_record_becomes_none_if_its_indent_says_so() {
        let broken = "  <row>\n    <a>1</b>\n    <more>\n      <row>\n        <a>2</a>\n      </row>\n    </more>\n  </row>";
        let text = format!("<all>\n{broken}\n  <row><a>1</a></row>\n</all>");
        assert_eq!(frames(&text), [&format!("!{}", broken.trim()), GOOD]);
        let unclosed = "<all>\n  <row>\n    <a>1</a>\n  <row>\n    <a>1</a>\n  </row>\n</all>";
        assert_eq!(frames(unclosed), ["!<row>\n    <a>1</a>", GOOD]);
    }

    #[test]
    fn entities_of_a_document_are_no_text() {
        let text = "<!DOCTYPE r [<!ENTITY a \"x\"><!ENTITY b \"&a;&a;\"><!ENTITY f SYSTEM \"file:///etc/passwd\">]>\
                    <r><row>&b;</row><row>&f;</row><row><a>1</a></row></r>";
        assert_eq!(frames(text), ["!<row>&b;</row>", "!<row>&f;</row>", GOOD]);
    }

    #[test]
    fn a_foreign_encoding_is_not_taken_for_utf_8() {
        let text =
            |encoding| format!("<?xml version='1.0' encoding='{encoding}'?><row>é</row><row/>");
        for encoding in ["UTF-8", "utf-16", "ISO-8859-1", "windows-1252"] {
            assert_eq!(frames(&text(encoding)), [r#"{"_VALUE":"é"}"#, "{}"], "{encoding}");
        }
        for encoding in ["GBK", "Shift_JIS", "EUC-KR"] {
            assert_eq!(frames(&text(encoding)), ["!<row>é</row>", "{}"], "{encoding}");
        }
    }

    #[test]
    fn many_broken_records_take_no_longer_than_as_many_good_ones() {
        for (broken, count) in [
            ("<row><a>1</a>", 1),
            ("<row><a>1", 1),
            ("<row><a b=1></row>", 1),
            ("<row><row><a></row>", 2),
            ("<row b>", 1),
            ("<row><![CDATA[", 0),
        ] {
            let text = broken.repeat(100_000);
            let found = framed(text.as_bytes(), text.len());
            assert_eq!(found.len(), (count * 100_000).max(1), "{broken}");
        }
    }

    #[test]
    fn an_element_longer_than_a_window_is_given_up_for_the_next() {
        let text = "<row><a>1<row><a>1</a></row><row>";
        let mut framer = Framer::new("row");
        let given_up = framer.give_up(text.as_bytes(), 0);
        assert_eq!(given_up, Some(Frame::Fault(0..9, UNCLOSED)));
        assert_eq!(framer.give_up(b"<row><a>1", 0), None);
        assert_eq!(framer.give_up(b"<!-- <row><row>", 0), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_framed_the_same_however_they_come(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec![
                        "<row>", "</row>", "<row a='1'/>", "<row ", "<a>", "</a>", "<a b=\"", "\"",
                        "'", ">", "<", "/", "<!--", "-->", "<![CDATA[", "]]>", "<?xml ", "?>",
                        "<!DOCTYPE ", "[", "]", "&amp;", "&", ";", "\n", "  ", "x", "é", "<rows>",
                    ]).prop_map(|text| text.as_bytes().to_vec()),
                    prop::collection::vec(any::<u8>(), 0..3),
                ],
                0..40,
            ),
            block in 1_usize..20,
        ) {
            let bytes = pieces.concat();
            prop_assert_eq!(framed(&bytes, block), framed(&bytes, bytes.len().max(1)));
        }

        #[test]
        fn what_is_a_record_is_valid_json(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "<a>", "</a>", "<b c='\"&#1;'>", "</b>", "<b d='\\'/>", "x\"\\", "\u{7f}", " ", "\t",
                    "&lt;", "<![CDATA[\"]]>", "<row>", "</row>",
                ]),
                0..20,
            ),
        ) {
            let text = format!("<row>{}</row>", pieces.concat());
            for (shown, fault) in framed(text.as_bytes(), text.len()) {
                if fault.is_none() {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(&shown).is_ok(), "{}", shown);
                }
            }
        }
    }
}
