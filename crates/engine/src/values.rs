//! Formats whose values follow one another: a window moves over the bytes, a framer finds the next
//! value in it and writes it as JSON.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use crate::compression::Compression;
use crate::content;
use crate::convert::Outcome;
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::json;
use crate::rejects::{Content, Position};
use crate::run::Run;
use crate::text::decoding_error;
use crate::window::{MAX_RECORD, Window};

/// The longest JSON text of one value. A value may grow in becoming JSON, and where symbols stand
/// for text it may do so without any bound.
pub(crate) const MAX_OBJECT: usize = 4 * MAX_RECORD;

/// A file that cannot be read on from here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: usize,
    pub(crate) reason: Cow<'static, str>,
}

impl Broken {
    pub(crate) fn new(at: usize, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { at, reason: reason.into() }
    }

    /// The file ends in the middle of the value that begins at `at`.
    pub(crate) fn unfinished(at: usize) -> Self {
        Self::new(at, "the file ends inside it")
    }

    pub(crate) fn too_long(at: usize) -> Self {
        Self::new(at, "it is longer than 16 MiB")
    }
}

/// Finds values and says what they are in JSON.
pub(crate) trait ValueFramer {
    /// The format, and what it calls a value at the top.
    const NAMES: (&'static str, &'static str);

    /// The next value in `bytes` from `at` on. Its JSON text takes the place of what is in
    /// `object`; nothing if it is a fault without one. `last` says that nothing follows `bytes`.
    fn next(
        &mut self,
        bytes: &[u8],
        at: usize,
        last: bool,
        object: &mut String,
    ) -> Result<Frame, Broken>;
}

/// Hands on values as JSON texts, with how far the file was read for each, until that is no more
/// wanted; values that are none are handed on as nothing. True at the file's end.
pub(crate) fn objects<F: ValueFramer>(
    window: &mut Window<impl Read>,
    mut framer: F,
    mut take: impl FnMut(Option<&str>, u64) -> bool,
) -> io::Result<bool> {
    let mut object = String::new();
    let mut at = 0;
    loop {
        let broken = |broken: Broken| io::Error::other(broken.reason);
        let offset = window.offset();
        let frame = framer.next(window.bytes(), at, window.is_last(), &mut object);
        let (end, found) = match frame.map_err(broken)? {
            Frame::Record(range) => (range.end, Some(object.as_str())),
            Frame::Fault(range, _) => (range.end, None),
            Frame::More(_) if window.is_full() => return Ok(false),
            Frame::More(from) => {
                at = 0;
                window.consume(from);
                window.read()?;
                continue;
            }
            Frame::Done => return Ok(true),
        };
        at = end;
        if !take(found, offset + at as u64) {
            return Ok(false);
        }
    }
}

/// A file of values on its way.
pub(crate) struct Values<'r, 'a, R, W, J> {
    run: &'r mut Run<'a, W, J>,
    window: Window<R>,
    compression: Compression,
    /// The values before the one that is read
    done: u64,
}

impl<'r, 'a, R: Read, W: Write, J: Write> Values<'r, 'a, R, W, J> {
    /// Reads enough to tell formats apart.
    pub(crate) fn open(
        run: &'r mut Run<'a, W, J>,
        reader: R,
        compression: Compression,
    ) -> Result<Self, ConvertError> {
        let mut values = Self { run, window: Window::new(reader), compression, done: 0 };
        while values.window.bytes().len() < content::HEAD && !values.window.is_last() {
            values.read()?;
        }
        Ok(values)
    }

    /// The first bytes of the file.
    pub(crate) fn head(&self) -> &[u8] {
        let bytes = self.window.bytes();
        &bytes[..bytes.len().min(content::HEAD)]
    }

    /// Passes over the first bytes of the file.
    pub(crate) fn skip(&mut self, count: usize) {
        self.window.consume(count);
    }

    pub(crate) fn convert<F: ValueFramer>(mut self, mut framer: F) -> Result<(), ConvertError> {
        let mut walker = json::Walker::new(self.run.mapping.projection.clone());
        let mut object = String::new();
        // How far into the window's bytes the values are done.
        let mut at = 0;
        loop {
            let bytes = self.window.bytes();
            let frame = framer.next(bytes, at, self.window.is_last(), &mut object);
            match frame.map_err(|broken| self.unreadable::<F>(&broken))? {
                Frame::Record(range) => {
                    let outcome = match walker.walk(object.as_bytes(), 0) {
                        Ok(_) => self.run.convert(&walker.record(&object, 0)),
                        Err(fault) => Outcome::Rejected(fault.into()),
                    };
                    if let Some(fault) = self.run.count(outcome)? {
                        self.reject(fault, Content::Record(&object))?;
                    }
                    self.done += 1;
                    at = range.end;
                }
                Frame::Fault(range, fault) => {
                    let content = match object.as_str() {
                        "" => Content::of(&bytes[range.clone()]),
                        object => Content::Record(object),
                    };
                    let row = self.done + 1;
                    self.run.reject(fault, Position::Row { row }, content)?;
                    self.done += 1;
                    at = range.end;
                }
                Frame::More(from) => {
                    at = 0;
                    self.window.consume(from);
                    if self.window.is_full() {
                        return Err(self.unreadable::<F>(&Broken::too_long(0)));
                    }
                    self.read()?;
                }
                Frame::Done => return Ok(()),
            }
        }
    }

    fn reject(&mut self, fault: RecordFault, content: Content<'_>) -> Result<(), ConvertError> {
        self.run.reject(fault, Position::Row { row: self.done + 1 }, content)
    }

    fn read(&mut self) -> Result<(), ConvertError> {
        match self.window.read() {
            Ok(count) => {
                self.run.counts.bytes_decoded += count as u64;
                Ok(())
            }
            Err(fault) => {
                Err(decoding_error(&fault, self.compression, self.run.counts.bytes_decoded))
            }
        }
    }

    fn unreadable<F: ValueFramer>(&self, broken: &Broken) -> ConvertError {
        let (format, value) = F::NAMES;
        let byte = self.window.offset() + broken.at as u64;
        let (number, reason) = (self.done + 1, &broken.reason);
        ConvertError::Unreadable {
            format,
            fault: format!("{value} {number} (byte {byte}): {reason}"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use personalize_plan::glue::{Column, Table};
    use personalize_plan::{Parameters, resolve};

    use super::*;
    use crate::{Converter, Counts, SourceFile};

    /// The bytes that hexadecimal digits stand for.
    pub(crate) fn hex(digits: &str) -> Vec<u8> {
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    /// What a framer makes of bytes that come `step` by `step`: the JSON text of each value, or its
    /// fault.
    pub(crate) fn rendered<F: ValueFramer>(
        mut framer: F,
        bytes: &[u8],
        step: usize,
    ) -> Result<Vec<String>, String> {
        let mut object = String::new();
        let mut values = Vec::new();
        let (mut at, mut end) = (0, step.min(bytes.len()));
        loop {
            let frame = framer.next(&bytes[..end], at, end == bytes.len(), &mut object);
            match frame.map_err(|broken| format!("{}: {}", broken.at, broken.reason))? {
                Frame::Record(range) => {
                    assert!(at <= range.start && range.start < range.end && range.end <= end);
                    at = range.end;
                    values.push(object.clone());
                }
                Frame::Fault(range, fault) => {
                    at = range.end;
                    let code = fault.code(&[]).into_owned();
                    values.push(if object.is_empty() { code } else { object.clone() });
                }
                Frame::More(from) => {
                    assert!(at <= from && end < bytes.len());
                    at = from;
                    end = (end + step).min(bytes.len());
                }
                Frame::Done => return Ok(values),
            }
        }
    }

    type Converted = Result<(Counts, String, Vec<serde_json::Value>), ConvertError>;

    pub(crate) fn convert(format: &str, bytes: &[u8]) -> Converted {
        let column = |name: &str| Column { name: name.into(), type_name: "string".into() };
        let mut table = Table { name: "t".into(), ..Table::default() };
        table.parameters.insert("classification".into(), format.into());
        table.storage_descriptor.columns = ["user_id", "item_id", "timestamp"].map(column).into();
        let plan = resolve(&Parameters::from_pairs::<&str, &str>([]).unwrap(), &table).unwrap();
        let input = Arc::new(Bytes::copy_from_slice(bytes));
        let (mut rows, mut rejects) = (Vec::new(), Vec::new());
        let file = SourceFile::default();
        let counts = Converter::new(&plan).convert(&file, input, &mut rows, &mut rejects)?;
        let rejects = String::from_utf8(rejects).unwrap();
        let rejects = rejects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Ok((counts, String::from_utf8(rows).unwrap(), rejects))
    }

    /// Every value is counted once, or the file is refused by its own fault.
    pub(crate) fn whatever_the_bytes(format: &str, bytes: &[u8]) {
        match convert(format, bytes) {
            Ok((counts, rows, rejects)) => {
                let rejected = counts.rejected();
                assert_eq!(
                    counts.records_read,
                    counts.records_written + counts.filtered + rejected
                );
                assert_eq!(counts.rows_written as usize, rows.lines().count());
                assert_eq!(rejected as usize, rejects.len());
                assert_eq!(counts.bytes_decoded, bytes.len() as u64);
            }
            Err(fault) => assert!(
                matches!(
                    fault,
                    ConvertError::Unreadable { .. }
                        | ConvertError::OtherFormat { .. }
                        | ConvertError::Truncated { .. }
                        | ConvertError::Corrupt { .. }
                ),
                "{fault:?}"
            ),
        }
    }

    #[test]
    fn values_become_rows_and_rejects_say_which_they_were() {
        let text = "{user_id: u, item_id: 7, timestamp: 2024-01-01T}\n5\n\
            $ion_1_0 {user_id: 'v,\"', item_id: [1], timestamp: 1_700_000_000}\n\
            {user_id: w, item_id: i, timestamp: 17d8}";
        let (counts, rows, rejects) = convert("ion", text.as_bytes()).unwrap();
        assert_eq!(rows, "7,u,1704067200\ni,w,1700000000\n");
        assert_eq!((counts.records_read, counts.records_written), (4, 2));
        assert_eq!(counts.bytes_decoded, text.len() as u64);
        assert_eq!(rejects.len(), 2);
        assert_eq!((&rejects[0]["row"], &rejects[0]["record"]), (&2.into(), &"5".into()));
        assert_eq!(rejects[0]["reason"], "not_an_object");
        assert_eq!(
            (&rejects[1]["row"], &rejects[1]["reason"]),
            (&3.into(), &"array_in_ITEM_ID".into())
        );
        let object = r#"{"user_id":"v,\"","item_id":[1],"timestamp":1700000000}"#;
        assert_eq!(rejects[1]["record"], object);
    }

    #[test]
    fn a_broken_file_is_refused_with_the_place_in_it() {
        let good = "{user_id: u, item_id: i, timestamp: 1700000000}\n";
        let text = format!("{}{{user_id: ]", good.repeat(10_000));
        let fault = convert("ion", text.as_bytes()).unwrap_err();
        assert!(fault.is_poison());
        let expected = format!(
            "cannot be read as Ion: value 10001 (byte {}): a value was expected",
            10_000 * good.len() + 10
        );
        assert_eq!(fault.to_string(), expected);
        assert!(matches!(convert("ion", b"PAR1"), Err(ConvertError::OtherFormat { .. })));
    }

    #[test]
    fn a_value_longer_than_any_record_is_refused_before_it_is_held() {
        let fault = |text: &[u8]| convert("ion", text).unwrap_err().to_string();
        let text = [b"{} \"", &vec![b'x'; 3 * MAX_RECORD][..]].concat();
        assert!(fault(&text).ends_with("value 2 (byte 3): it is longer than 16 MiB"));
        let binary = [0xe0, 1, 0, 0xea, 0x8e, 0x7f, 0x7f, 0x7f, 0x7f, 0xff];
        assert!(fault(&binary).ends_with("value 1 (byte 4): it is longer than 16 MiB"));
    }

    #[test]
    fn nothing_is_no_value() {
        for format in ["ion", "bson"] {
            let (counts, rows, _) = convert(format, b"").unwrap();
            assert_eq!((counts.records_read, rows.as_str()), (0, ""));
        }
    }
}
