//! Bytes and bits in runs.
//!
//! Source: ORC specification v1, "Byte Run Length Encoding" and "Boolean Run Length Encoding".

use arrow_buffer::BooleanBuffer;

use super::fault::Fault;
use super::stripe::Stream;

/// Bytes, of which equal ones are stored once.
pub(super) struct ByteRuns {
    stream: Stream,
    /// How many bytes of the run are left, and the byte that all of them are
    left: usize,
    repeated: Option<u8>,
}

impl ByteRuns {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, left: 0, repeated: None }
    }

    /// Fills a slice with the next bytes.
    pub(super) fn fill(&mut self, mut out: &mut [u8]) -> Result<(), Fault> {
        while !out.is_empty() {
            if self.left == 0 {
                self.next_run()?;
            }
            let count = self.left.min(out.len());
            let (filled, unfilled) = out.split_at_mut(count);
            match self.repeated {
                Some(byte) => filled.fill(byte),
                None => self.stream.fill(filled)?,
            }
            self.left -= count;
            out = unfilled;
        }
        Ok(())
    }

    fn next_run(&mut self) -> Result<(), Fault> {
        let control = self.stream.byte()?;
        match control {
            0..0x80 => {
                self.left = usize::from(control) + 3;
                self.repeated = Some(self.stream.byte()?);
            }
            _ => {
                self.left = 256 - usize::from(control);
                self.repeated = None;
            }
        }
        Ok(())
    }
}

/// Bits, the first of a byte its highest.
pub(super) struct Bits {
    bytes: ByteRuns,
    /// The byte whose bits are being read, and how many of them are left
    byte: u8,
    left: u32,
}

impl Bits {
    pub(super) fn new(stream: Stream) -> Self {
        Self { bytes: ByteRuns::new(stream), byte: 0, left: 0 }
    }

    /// The next bits.
    pub(super) fn next(&mut self, count: usize) -> Result<BooleanBuffer, Fault> {
        let mut bytes = vec![0; count.div_ceil(8)];
        if self.left == 0 {
            self.bytes.fill(&mut bytes)?;
            if let (rest @ 1.., Some(last)) = (count % 8, bytes.last()) {
                self.left = 8 - rest as u32;
                self.byte = *last;
            }
            bytes.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        } else {
            for at in 0..count {
                if self.left == 0 {
                    self.bytes.fill(std::slice::from_mut(&mut self.byte))?;
                    self.left = 8;
                }
                self.left -= 1;
                bytes[at / 8] |= (self.byte >> self.left & 1) << (at % 8);
            }
        }
        Ok(BooleanBuffer::new(bytes.into(), 0, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(stored: &[u8], count: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; count];
        ByteRuns::new(Stream::of(stored)).fill(&mut bytes).map(|()| bytes)
    }

    #[test]
    fn bytes_are_those_of_the_specification() {
        assert_eq!(bytes(&[0x61, 0x00], 100).unwrap(), [0; 100]);
        assert_eq!(bytes(&[0xfe, 0x44, 0x45], 2).unwrap(), [0x44, 0x45]);
        assert_eq!(bytes(&[0xff, 7, 0, 9], 4).unwrap(), [7, 9, 9, 9]);
        assert!(matches!(bytes(&[0xfe, 0x44], 2), Err(Fault::Ended)));
        assert!(matches!(bytes(&[0x61, 0], 101), Err(Fault::Ended)));
    }

    #[test]
    fn bits_are_the_same_in_pieces_of_any_size() {
        let stored = [0xfd, 0b1010_0000, 0b0110_1111, 0x01, 0, 0xf0];
        let all: Vec<bool> = Bits::new(Stream::of(&stored)).next(48).unwrap().iter().collect();
        assert_eq!(
            all[..12],
            [true, false, true, false, false, false, false, false, false, true, true, false]
        );
        for size in 1..48 {
            let mut bits = Bits::new(Stream::of(&stored));
            let pieces =
                (0..48 / size).flat_map(|_| bits.next(size).unwrap().iter().collect::<Vec<_>>());
            assert_eq!(pieces.collect::<Vec<_>>(), all[..48 / size * size], "{size}");
        }
    }
}
