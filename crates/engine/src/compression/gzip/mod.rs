//! gzip: members run together, with zeros behind them where a file was padded to whole blocks.
//!
//! A small file is decompressed at once (`small`), which is faster. Whatever is unusual about it is
//! left to [`Members`].

mod small;

use std::io::{self, BufRead, Cursor, Read};

use flate2::bufread::GzDecoder;

use super::{Reader, more_data};

/// A reader of the content of a file; that it has no more than `size` bytes is a hint.
pub(super) fn decoder(mut file: impl BufRead + Send + 'static, size: u64) -> io::Result<Reader> {
    if size > small::LONGEST {
        return Ok(Box::new(Members::new(file)));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.by_ref().take(small::LONGEST).read_to_end(&mut bytes)?;
    let is_whole = file.fill_buf()?.is_empty();
    match small::content(&bytes) {
        Some(content) if is_whole => Ok(Box::new(Cursor::new(content))),
        _ => Ok(Box::new(Members::new(Cursor::new(bytes).chain(file)))),
    }
}

/// Reads member after member.
struct Members<R> {
    /// None behind the last one
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    fn new(reader: R) -> Self {
        Self { member: Some(GzDecoder::new(reader)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.member = match next(member.get_mut())? {
                true => self.member.take().map(|member| GzDecoder::new(member.into_inner())),
                false => None,
            };
        }
        Ok(0)
    }
}

/// Passes over zeros, as GNU gzip does, and says whether a member follows.
fn next(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = reader.fill_buf()?;
        match bytes.iter().position(|byte| *byte != 0) {
            Some(zeros) if bytes[zeros] == 0x1f => {
                reader.consume(zeros);
                return Ok(true);
            }
            Some(_) => return Err(more_data("the last gzip member")),
            None if bytes.is_empty() => return Ok(false),
            None => {
                let zeros = bytes.len();
                reader.consume(zeros);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::compression::tests::{gzip, read};

    #[test]
    fn zeros_behind_a_member_are_padding() {
        for zeros in [1, 512, 300_000] {
            let padded = [gzip(b"one\n"), vec![0; zeros]].concat();
            assert_eq!(read(&padded).unwrap(), b"one\n");
            assert_eq!(read(&[padded, gzip(b"two\n")].concat()).unwrap(), b"one\ntwo\n");
        }
    }

    #[test]
    fn other_data_behind_a_member_is_named() {
        let bytes = [gzip(b"one\n"), vec![0; 8], b"two\n".to_vec()].concat();
        assert_eq!(
            read(&bytes).unwrap_err().to_string(),
            "other data follows the last gzip member"
        );
    }
}
