//! xz: streams run together, with padding between them.

use std::io::{self, BufRead, Read};

use lzma_rust2::XzReader;

use super::guard::{MOST_MEMORY, MemoryLimited};

pub(super) const MAGIC: [u8; 6] = *b"\xfd7zXZ\0";

pub(super) fn decoder(reader: impl BufRead + Send + 'static) -> super::Reader {
    Box::new(MemoryLimited::new(streams(reader), |fault| {
        fault.kind() == io::ErrorKind::OutOfMemory
    }))
}

/// What the streams hold, one behind the other.
pub(crate) fn streams<R: Read>(reader: R) -> XzReader<R> {
    XzReader::new_mem_limit(reader, true, MOST_MEMORY / 1024)
}

#[cfg(test)]
mod tests {
    use crate::compression::LimitFault;
    use crate::compression::tests::{read, xz};

    /// The same stream, said to need a dictionary of that many bytes as xz writes it in a byte.
    fn with_dictionary(bytes: &[u8], size: u8) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let header = 12..12 + usize::from(bytes[12]) * 4;
        assert_eq!(bytes[14..16], [0x21, 1], "LZMA2 is the only filter");
        bytes[16] = size;
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[header.clone()]);
        bytes[header.end..header.end + 4].copy_from_slice(&crc.sum().to_le_bytes());
        bytes
    }

    #[test]
    fn a_dictionary_of_more_than_the_limit_is_refused() {
        let bytes = xz(b"text");
        assert_eq!(read(&with_dictionary(&bytes, 28)).unwrap(), b"text", "64 MiB, as of xz -9");
        for size in [30, 35, 40] {
            let fault = read(&with_dictionary(&bytes, size)).unwrap_err();
            let limit = fault.get_ref().and_then(|inner| inner.downcast_ref());
            assert_eq!(limit, Some(&LimitFault::Memory), "{fault}");
        }
    }

    #[test]
    fn padding_may_lie_between_streams_and_behind_the_last() {
        let bytes = [xz(b"one\n"), vec![0; 4], xz(b"two\n"), vec![0; 1024]].concat();
        assert_eq!(read(&bytes).unwrap(), b"one\ntwo\n");
        assert!(read(&bytes[..bytes.len() - 1]).is_err());
    }
}
