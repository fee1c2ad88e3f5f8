//! Zstandard: frames run together, skippable ones between them.

use std::io::{self, BufRead};

use zstd::Decoder;

use super::guard::{MOST_MEMORY, MemoryLimited};

pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

pub(super) fn decoder(reader: impl BufRead + Send + 'static) -> io::Result<super::Reader> {
    let mut frames = Decoder::with_buffer(reader)?;
    frames.window_log_max(MOST_MEMORY.ilog2())?;
    // The library's errors differ in their words only.
    Ok(Box::new(MemoryLimited::new(frames, |fault| fault.to_string().contains("memory"))))
}

#[cfg(test)]
mod tests {
    use crate::compression::LimitFault;
    use crate::compression::tests::{read, zstd};

    #[test]
    fn a_window_of_more_than_the_limit_is_refused() {
        // A frame of one block as it is, with the window's exponent above 10 in its header.
        let frame = |exponent: u8| {
            let block = [0x21, 0, 0, b't', b'e', b'x', b't'];
            [super::MAGIC.as_slice(), &[0, exponent << 3], &block].concat()
        };
        assert_eq!(read(&frame(17)).unwrap(), b"text", "128 MiB, as of zstd --long");
        let fault = read(&frame(18)).unwrap_err();
        let limit = fault.get_ref().and_then(|inner| inner.downcast_ref());
        assert_eq!(limit, Some(&LimitFault::Memory), "{fault}");
    }

    #[test]
    fn skippable_frames_may_lie_anywhere() {
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let [one, two] = [b"one\n", b"two\n"].map(|content| zstd(content));
        let bytes = [&skippable, one.as_slice(), &skippable, &two, &skippable];
        assert_eq!(read(&bytes.concat()).unwrap(), b"one\ntwo\n");
    }
}
