//! Finds the lines of a log; each that is not empty is a record.

use std::ops::Range;

use super::Grok;
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::text::ObjectFramer;

/// Frames the lines of one file.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    grok: &'a Grok,
    /// Whether the last line was as the pattern says
    matched: bool,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(grok: &'a Grok) -> Self {
        Self { grok, matched: true }
    }
}

impl ObjectFramer for Lines<'_> {
    fn next(&mut self, bytes: &[u8], at: usize, last: bool, object: &mut String) -> Frame {
        let mut at = at;
        while at < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[at..]).map(|length| at + length);
            let Some(end) = end.or(last.then_some(bytes.len())) else {
                return Frame::More(at);
            };
            let line = &bytes[at..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let range = at..at + line.len();
            if !line.is_empty()
                && let Some(frame) = self.line(line, range, object)
            {
                return frame;
            }
            at = end + 1;
        }
        if last { Frame::Done } else { Frame::More(bytes.len()) }
    }

    fn give_up(&mut self, _: &[u8], _: usize) -> Option<Frame> {
        None
    }
}

impl Lines<'_> {
    fn line(&mut self, line: &[u8], range: Range<usize>, object: &mut String) -> Option<Frame> {
        let Ok(text) = simdutf8::basic::from_utf8(line) else {
            return Some(Frame::Fault(range, RecordFault::NotUtf8));
        };
        let written = self.grok.write(text, self.matched, object);
        self.matched = written.is_ok();
        match written {
            Ok(()) => Some(Frame::Record(range)),
            Err(RecordFault::NoMatch) if is_directive(text) => None,
            Err(fault) => Some(Frame::Fault(range, fault)),
        }
    }
}

/// Whether a line says something of the lines behind it, as in the W3C's Extended Log File Format.
pub(super) fn is_directive(line: &str) -> bool {
    const DIRECTIVES: [&str; 7] =
        ["Version", "Fields", "Software", "Start-Date", "End-Date", "Date", "Remark"];
    let name = line.strip_prefix('#').and_then(|line| line.split_once(':'));
    name.is_some_and(|(name, _)| DIRECTIVES.contains(&name))
}

#[cfg(test)]
mod tests {
    use personalize_plan::GrokFormat;
    use proptest::prelude::*;

    use super::*;

    /// What lines become, or `!` and the bytes of those that do not match.
    fn framed(bytes: &[u8], block: usize) -> Vec<String> {
        let pattern = "^%{WORD:a} %{INT:b:int}$".to_owned();
        let format = GrokFormat { pattern, custom_patterns: String::new() };
        let grok = Grok::new(&format).unwrap();
        let mut framer = Lines::new(&grok);
        let mut object = String::new();
        let (mut at, mut end, mut base) = (0, block.min(bytes.len()), 0);
        let mut found = Vec::new();
        loop {
            let window = &bytes[base..end];
            let frame = framer.next(window, at - base, end == bytes.len(), &mut object);
            match frame {
                Frame::Record(range) | Frame::Fault(range, _) if range.is_empty() => {
                    panic!("an empty line")
                }
                Frame::Record(range) => {
                    assert!(base + range.start >= at && range.end <= window.len());
                    at = base + range.end;
                    found.push(object.clone());
                }
                Frame::Fault(range, fault) => {
                    assert!(base + range.start >= at && range.end <= window.len());
                    at = base + range.end;
                    found.push(format!("!{}", String::from_utf8_lossy(&window[range])));
                    assert!(matches!(fault, RecordFault::NoMatch | RecordFault::NotUtf8));
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

    #[test]
    fn every_line_is_a_record() {
        let text = "x 1\ny 2\r\n\n\r\n#Fields: a b\n#Other\nz\nw 4";
        let expected =
            [r#"{"a":"x","b":1}"#, r#"{"a":"y","b":2}"#, "!#Other", "!z", r#"{"a":"w","b":4}"#];
        for block in 1..text.len() {
            assert_eq!(framed(text.as_bytes(), block), expected, "in blocks of {block}");
        }
        assert_eq!(framed(b"x 1\n\xff 2\nx 3\n", 100).len(), 3);
        assert!(framed(b"", 1).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_framed_the_same_however_they_come(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec!["x 1", "\n", "\r", "\r\n", " ", "#Date:", "é"])
                        .prop_map(|text| text.as_bytes().to_vec()),
                    prop::collection::vec(any::<u8>(), 0..3),
                ],
                0..30,
            ),
            block in 1_usize..20,
        ) {
            let bytes = pieces.concat();
            prop_assert_eq!(framed(&bytes, block), framed(&bytes, bytes.len().max(1)));
        }
    }
}
