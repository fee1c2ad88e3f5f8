//! Walks over a Parquet file's Thrift messages before the library that reads them does: it believes
//! the counts in them, and a false one would take more memory than there is, or more of the stack,
//! either of which ends the process.
//!
//! Source: Thrift compact protocol specification; parquet.thrift of parquet-format 2.11.

/// Groups may be nested this deep. A list is two of them.
const MAX_NESTING: usize = 512;
/// Other messages than the schema are nested a few levels deep.
const MAX_DEPTH: usize = 64;
/// The longest page, decompressed.
const MAX_PAGE: i64 = 256 * 1024 * 1024;
/// No compression makes more of distinct values.
const MAX_RATIO: i64 = 1024;

/// Why a message must not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it has a list of {0} elements in {1} bytes")]
    Count(u64, usize),
    #[error("its schema has a group of {0} columns, but {1} entries in all")]
    Children(i64, u64),
    #[error("its schema is nested deeper than {MAX_NESTING} levels")]
    Nesting,
    #[error("its footer is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("it has a page of {0} bytes; pages of at most 256 MiB are read")]
    Page(i64),
    #[error("it has a page whose header cannot be read")]
    Header,
    #[error("it has a dictionary of {0} values in {1} bytes")]
    Dictionary(i64, i64),
}

/// Nothing where the bytes are no message: then the library says why.
pub(crate) type Walked<T = ()> = Result<Option<T>, Refusal>;

/// Takes a value out of an option in a function that gives [`Walked`].
macro_rules! some {
    ($option:expr) => {
        match $option {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}

/// Checks a footer.
pub(crate) fn check_footer(footer: &[u8]) -> Result<(), Refusal> {
    let mut message = Message { rest: footer };
    let walked = message.fields(0, &mut |message, field, kind| {
        if (field, kind) != (2, LIST) {
            return message.skip(kind, 1);
        }
        let (count, STRUCT) = some!(message.list()?) else { return Ok(None) };
        // How many columns the groups have that are not at their end.
        let mut open: Vec<i64> = Vec::new();
        for _ in 0..count {
            let mut children = 0;
            some!(message.fields(1, &mut |message, field, kind| match (field, kind) {
                (5, I32) => Ok(message.number().map(|number| children = number)),
                _ => message.skip(kind, 2),
            })?);
            if !(0..i64::try_from(count).unwrap_or(i64::MAX)).contains(&children) {
                return Err(Refusal::Children(children, count));
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            if children > 0 {
                open.push(children);
            }
            while open.last() == Some(&0) {
                open.pop();
            }
            if open.len() > MAX_NESTING {
                return Err(Refusal::Nesting);
            }
        }
        Ok(Some(()))
    });
    walked.map(|_| ())
}

/// Checks the header of a page that begins with these bytes, and gives the length of both; nothing
/// if that cannot be told from so many bytes.
pub(crate) fn check_page(bytes: &[u8]) -> Walked<u64> {
    let mut message = Message { rest: bytes };
    let (mut size, mut compressed) = (0, 0);
    let walked = message.fields(0, &mut |message, field, kind| match (field, kind) {
        (2, I32) => {
            size = some!(message.number());
            if size > MAX_PAGE { Err(Refusal::Page(size)) } else { Ok(Some(())) }
        }
        (3, I32) => Ok(message.number().map(|number| compressed = number)),
        (7, STRUCT) => message.fields(1, &mut |message, field, kind| match (field, kind) {
            (1, I32) => {
                let values = some!(message.number());
                if values > size.min(compressed.saturating_mul(MAX_RATIO)) {
                    return Err(Refusal::Dictionary(values, size));
                }
                Ok(Some(()))
            }
            _ => message.skip(kind, 2),
        }),
        _ => message.skip(kind, 1),
    });
    match walked {
        // There may be more bytes.
        Err(Refusal::Count(..)) | Ok(None) => Ok(None),
        Err(refusal) => Err(refusal),
        Ok(Some(())) => {
            let header = (bytes.len() - message.rest.len()) as u64;
            Ok(Some(header + u64::try_from(compressed).unwrap_or(0)))
        }
    }
}

// Types of the compact protocol.
const I8: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

struct Message<'b> {
    rest: &'b [u8],
}

impl Message<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn number(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn pass(&mut self, count: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    /// A list's length, checked, and the type of its elements.
    fn list(&mut self) -> Walked<(u64, u8)> {
        let head = some!(self.byte());
        let count = match head >> 4 {
            15 => some!(self.varint()),
            count => count.into(),
        };
        // Each element takes a byte at least.
        if count > self.rest.len() as u64 {
            return Err(Refusal::Count(count, self.rest.len()));
        }
        Ok(Some((count, head & 15)))
    }

    /// Calls `take` for each field of a struct with its number and type, to go over its value.
    fn fields(
        &mut self,
        depth: usize,
        take: &mut dyn FnMut(&mut Self, i64, u8) -> Walked,
    ) -> Walked {
        if depth > MAX_DEPTH {
            return Err(Refusal::Depth);
        }
        let mut field = 0_i64;
        loop {
            let head = some!(self.byte());
            if head == 0 {
                return Ok(Some(()));
            }
            field = match head >> 4 {
                0 => some!(self.number()),
                more => field.wrapping_add(more.into()),
            };
            some!(take(self, field, head & 15)?);
        }
    }

    /// Goes over a field's value.
    fn skip(&mut self, kind: u8, depth: usize) -> Walked {
        match kind {
            // A truth value is in its type.
            1 | 2 => Ok(Some(())),
            I8 => Ok(self.pass(1)),
            I16 | I32 | I64 => Ok(self.varint().map(|_| ())),
            DOUBLE => Ok(self.pass(8)),
            UUID => Ok(self.pass(16)),
            BINARY => {
                let length = some!(self.varint());
                Ok(self.pass(length))
            }
            STRUCT => self.fields(depth, &mut |message, _, kind| message.skip(kind, depth + 1)),
            LIST | SET => {
                let (count, kind) = some!(self.list()?);
                for _ in 0..count {
                    some!(self.skip_element(kind, depth)?);
                }
                Ok(Some(()))
            }
            MAP => {
                let count = some!(self.varint());
                let kinds = if count > 0 { some!(self.byte()) } else { 0 };
                for _ in 0..count {
                    some!(self.skip_element(kinds >> 4, depth)?);
                    some!(self.skip_element(kinds & 15, depth)?);
                }
                Ok(Some(()))
            }
            _ => Ok(None),
        }
    }

    fn skip_element(&mut self, kind: u8, depth: usize) -> Walked {
        match kind {
            1 | 2 => Ok(self.pass(1)),
            _ if depth > MAX_DEPTH => Err(Refusal::Depth),
            _ => self.skip(kind, depth + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &[u8] = b"\x35\x00\x18\x01a\x15\x02\x00";
    const LEAF: &[u8] = b"\x15\x02\x25\x00\x18\x01a\x00";

    /// A footer with a schema of these entries.
    fn footer(entries: &[&[u8]]) -> Vec<u8> {
        let count = u8::try_from(entries.len() & 0x7f).unwrap() | 0x80;
        let more = u8::try_from(entries.len() >> 7).unwrap();
        [&[0x15, 2, 0x19, 0xfc, count, more], &entries.concat()[..], &[0x16, 0, 0x19, 0x0c, 0]]
            .concat()
    }

    #[test]
    fn what_is_sound_is_let_through() {
        assert_eq!(check_footer(&footer(&[GROUP, GROUP, LEAF])), Ok(()));
        for no_message in [&b""[..], b"\xff", b"\x15", b"\x19\xfc"] {
            assert_eq!(check_footer(no_message), Ok(()));
        }
        // A data page of 5 bytes, a dictionary of 3 values.
        let data = b"\x15\x00\x15\x0a\x15\x0a\x2c\x15\x06\x00\x00data!";
        let dictionary = b"\x15\x04\x15\x18\x15\x18\x4c\x15\x06\x15\x00\x00\x00";
        assert_eq!(check_page(data), Ok(Some(16)));
        assert_eq!(check_page(dictionary), Ok(Some(25)));
        for end in 0..dictionary.len() {
            assert_eq!(check_page(&dictionary[..end]), Ok(None));
        }
    }

    #[test]
    fn deep_schemas_are_refused() {
        let nested = |depth| footer(&[&vec![GROUP; depth][..], &[LEAF]].concat());
        assert_eq!(check_footer(&nested(MAX_NESTING)), Ok(()));
        assert_eq!(check_footer(&nested(MAX_NESTING + 1)), Err(Refusal::Nesting));
    }

    #[test]
    fn counts_beyond_the_bytes_are_refused() {
        let many = b"\x15\x02\x19\xfc\xff\xff\xff\xff\x07\x00";
        assert_eq!(check_footer(many), Err(Refusal::Count(0x7fff_ffff, 1)));
        let many_groups = [&footer(&[GROUP, LEAF])[..][..24], b"\x19\xfc\xff\xff\xff\xff\x07\x00"];
        assert_eq!(check_footer(&many_groups.concat()), Err(Refusal::Count(0x7fff_ffff, 1)));
        let many_children = b"\x35\x00\x18\x01a\x15\xfe\xff\xff\xff\x0f\x00";
        let refused = check_footer(&footer(&[many_children, LEAF]));
        assert_eq!(refused, Err(Refusal::Children(0x7fff_ffff, 2)));
    }

    #[test]
    fn messages_in_messages_end_somewhere() {
        let structs = [&b"\x15\x02"[..], &[0x1c; 100_000]].concat();
        assert_eq!(check_footer(&structs), Err(Refusal::Depth));
        let lists = [&b"\x15\x02\x79"[..], &[0x19; 100_000]].concat();
        assert_eq!(check_footer(&lists), Err(Refusal::Depth));
    }

    #[test]
    fn pages_that_are_too_long_are_refused() {
        let page = b"\x15\x00\x15\x80\x80\x80\x80\x08\x15\x0a\x2c";
        assert_eq!(check_page(page), Err(Refusal::Page(1 << 30)));
        let dictionary = b"\x15\x04\x15\x18\x15\x18\x4c\x15\xfe\xff\xff\xff\x0f\x15\x00\x00\x00";
        assert_eq!(check_page(dictionary), Err(Refusal::Dictionary(0x7fff_ffff, 12)));
    }
}
