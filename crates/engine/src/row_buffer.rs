//! Rows on their way out.

use crate::digits::Digits;
use crate::lanes::{Block, LANES};

/// Rows that are written and not yet handed on.
#[derive(Debug, Default)]
pub(crate) struct RowBuffer {
    /// Behind the end stands what was written once: cells are copied in blocks, which may be longer
    /// than they are.
    bytes: Vec<u8>,
    end: usize,
}

impl RowBuffer {
    /// How many bytes are held without growing.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.end
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// Takes back all behind the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.end = self.end.min(length);
    }

    pub(crate) fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        let end = self.end + bytes.len();
        self.grow(end);
        self.bytes[self.end..end].copy_from_slice(bytes);
        self.end = end;
    }

    /// Appends a cell and what follows it.
    #[inline(always)]
    pub(crate) fn push_cell(&mut self, cell: &[u8], separator: u8) {
        let end = self.end + cell.len();
        self.grow(end + 1);
        self.bytes[self.end..end].copy_from_slice(cell);
        self.bytes[end] = separator;
        self.end = end + 1;
    }

    /// Room for at least `count` bytes more.
    #[inline(always)]
    pub(crate) fn room(&mut self, count: usize) -> Room<'_> {
        self.grow(self.end + count);
        Room { bytes: &mut self.bytes, end: self.end, kept: &mut self.end }
    }

    #[inline(always)]
    fn grow(&mut self, length: usize) {
        if self.bytes.len() < length {
            self.resize(length.max(2 * self.bytes.len()));
        }
    }

    #[cold]
    fn resize(&mut self, length: usize) {
        self.bytes.resize(length, 0);
    }
}

/// The room behind what is written, where cells can be put one after the other.
pub(crate) struct Room<'a> {
    bytes: &'a mut [u8],
    end: usize,
    kept: &'a mut usize,
}

impl Room<'_> {
    /// Appends a cell, the first bytes of a block, and what follows it; false if there is no room.
    #[inline(always)]
    pub(crate) fn append(&mut self, block: &Block, length: usize, separator: u8) -> bool {
        let Some(last) = self.bytes.len().checked_sub(LANES) else {
            return false;
        };
        if self.end > last || length >= LANES {
            return false;
        }
        let Some(place) = self.bytes[self.end..].first_chunk_mut::<LANES>() else {
            return false;
        };
        *place = *block;
        place[length] = separator;
        self.end += length + 1;
        true
    }

    /// Appends a number and what follows it; false if there is no room.
    #[inline(always)]
    pub(crate) fn append_digits(&mut self, digits: &Digits, separator: u8) -> bool {
        let length = digits.length();
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let Some(place) = room.first_chunk_mut::<LANES>().filter(|_| length < LANES) else {
            return false;
        };
        digits.write(place);
        place[length] = separator;
        self.end += length + 1;
        true
    }

    /// Appends a cell of any length and what follows it; false if there is no room.
    #[inline(always)]
    pub(crate) fn append_long(&mut self, cell: &[u8], separator: u8) -> bool {
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let Some(place) = room.get_mut(..=cell.len()) else {
            return false;
        };
        place[..cell.len()].copy_from_slice(cell);
        place[cell.len()] = separator;
        self.end += cell.len() + 1;
        true
    }

    /// Has `append` append something, out of the way of what is appended more often; false if it
    /// does not.
    #[inline(always)]
    pub(crate) fn append_apart(&mut self, append: impl FnOnce(&mut Room<'_>) -> bool) -> bool {
        let end = end_behind(self.bytes, self.end, append);
        self.end = end.unwrap_or(self.end);
        end.is_some()
    }

    /// Puts the first bytes of a block behind the end.
    ///
    /// # Panics
    ///
    /// If there is no room for the whole block.
    #[inline(always)]
    pub(crate) fn put(&mut self, block: &Block, length: usize) {
        self.bytes[self.end..self.end + LANES].copy_from_slice(block);
        self.end += length;
    }

    /// Puts the first bytes of a block, which are less than all of it, and one more byte behind the
    /// end.
    ///
    /// # Panics
    ///
    /// If there is no room for the whole block, or no byte is left of it.
    #[inline(always)]
    pub(crate) fn put_with(&mut self, block: &Block, length: usize, byte: u8) {
        let place = &mut self.bytes[self.end..self.end + LANES];
        place.copy_from_slice(block);
        place[length] = byte;
        self.end += length + 1;
    }

    /// Keeps what was appended.
    #[inline(always)]
    pub(crate) fn keep(self) {
        *self.kept = self.end;
    }
}

/// Where the end is behind what `append` appended. Not inlined, and without reference to a room, so
/// that a loop over cells keeps its room in registers.
#[inline(never)]
fn end_behind(
    bytes: &mut [u8],
    mut end: usize,
    append: impl FnOnce(&mut Room<'_>) -> bool,
) -> Option<usize> {
    let mut room = Room { bytes, end, kept: &mut end };
    append(&mut room).then_some(room.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_one_after_the_other_and_nothing_behind_them() {
        let mut rows = RowBuffer::default();
        let mut room = rows.room(LANES);
        assert!(room.append(b"abcdefghijklmnop", 3, b','));
        assert!(!room.append(b"abcdefghijklmnop", 3, b','), "a block does not fit");
        assert!(room.append_long(b"long enough", b'\n'));
        assert!(!room.append_long(b"", b'\n'), "nothing fits");
        room.keep();
        assert_eq!(rows.as_slice(), b"abc,long enough\n");
        rows.extend_from_slice(b"more");
        rows.push(b'!');
        assert_eq!(rows.as_slice(), b"abc,long enough\nmore!");
        rows.truncate(3);
        assert_eq!(rows.as_slice(), b"abc");
        assert!(!rows.room(2).append_long(&[b'x'; 64], b'\n'));
        assert_eq!(rows.as_slice(), b"abc", "what is not kept is not there");
    }
}
