//! Looks ahead and passes over what says nothing.

use super::{Parsed, Parser, Stop};
use crate::ion::Fault;
use crate::values::Broken;

impl<'a> Parser<'a> {
    /// The letters, digits, `$` and `_` from here on.
    pub(super) fn identifier(&mut self) -> Parsed<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let end = self.end_of(|c| !is_symbol_part(c))?;
        self.at += end;
        Ok(&rest[..end])
    }

    pub(super) fn skip_white_space(&mut self) -> Parsed<()> {
        while self.peek()?.is_some_and(is_white_space) {
            self.at += 1;
        }
        Ok(())
    }

    /// Passes over white space and comments.
    pub(super) fn skip_blank(&mut self) -> Parsed<()> {
        loop {
            self.skip_white_space()?;
            if self.peek()? != Some(b'/') {
                return Ok(());
            }
            let inside = self.bytes.get(self.at + 2..).unwrap_or_default();
            if self.has(b"//")? {
                match memchr::memchr2(b'\n', b'\r', inside) {
                    Some(end) => self.at += 2 + end,
                    None if self.last => self.at = self.bytes.len(),
                    None => return Err(Stop::End),
                }
            } else if self.has(b"/*")? {
                self.at += 4 + memchr::memmem::find(inside, b"*/").ok_or(Stop::End)?;
            } else {
                return Ok(());
            }
        }
    }

    /// How many bytes there are before the next that ends them, or before the file's end.
    pub(super) fn end_of(&self, ends: impl Fn(u8) -> bool) -> Parsed<usize> {
        let rest = &self.bytes[self.at..];
        match rest.iter().position(|c| ends(*c)) {
            Some(end) => Ok(end),
            None if self.last => Ok(rest.len()),
            None => Err(Stop::End),
        }
    }

    /// The next byte; none at the file's end.
    pub(super) fn peek(&self) -> Parsed<Option<u8>> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, offset: usize) -> Parsed<Option<u8>> {
        match self.bytes.get(self.at + offset) {
            None if !self.last => Err(Stop::End),
            byte => Ok(byte.copied()),
        }
    }

    /// The next byte, which has to be there.
    pub(super) fn need(&self) -> Parsed<u8> {
        self.bytes.get(self.at).copied().ok_or(Stop::End)
    }

    /// Whether these bytes follow.
    pub(super) fn has(&self, expected: &[u8]) -> Parsed<bool> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.len() < expected.len() && expected.starts_with(rest) && !self.last {
            return Err(Stop::End);
        }
        Ok(rest.starts_with(expected))
    }

    pub(super) fn stop(&self, fault: Fault) -> Stop {
        let reason = match fault {
            Fault::Broken(reason) => reason,
            Fault::Record(_) => "a value cannot be read".into(),
        };
        Stop::Broken(Broken { at: self.at, reason })
    }

    pub(super) fn broken<T>(&self, reason: &'static str) -> Parsed<T> {
        Err(Stop::Broken(Broken::new(self.at, reason)))
    }
}

pub(super) fn is_symbol_start(c: u8) -> bool {
    c.is_ascii_alphabetic() || matches!(c, b'_' | b'$')
}

fn is_symbol_part(c: u8) -> bool {
    is_symbol_start(c) || c.is_ascii_digit()
}

pub(super) fn is_operator(c: u8) -> bool {
    matches!(
        c,
        b'!' | b'#'
            | b'%'
            | b'&'
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'/'
            | b';'
            | b'<'
            | b'='
            | b'>'
            | b'?'
            | b'@'
            | b'^'
            | b'`'
            | b'|'
            | b'~'
    )
}

pub(super) fn is_white_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Whether a number ends before this byte.
pub(super) fn is_stop(c: u8) -> bool {
    is_white_space(c)
        || matches!(c, b'{' | b'}' | b'[' | b']' | b'(' | b')' | b',' | b'"' | b'\'' | b'/')
}
