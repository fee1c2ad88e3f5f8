//! Messages of Protocol Buffers, as far as ORC uses them.
//!
//! Source: "Encoding" in the documentation of Protocol Buffers.

/// A message, field after field.
pub(super) struct Message<'b> {
    rest: &'b [u8],
}

/// A field's value; the types that ORC uses are told apart.
pub(super) enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
    Other,
}

impl<'b> Message<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field, if there is one; nothing if this is no message.
    pub(super) fn next(&mut self) -> Option<Option<(u64, Value<'b>)>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Other)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Other)?,
            _ => return None,
        };
        Some(Some((key >> 3, value)))
    }

    fn take(&mut self, count: u64) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(count).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
pub(super) mod tests {
    pub(in super::super) fn push_varint(out: &mut Vec<u8>, mut number: u64) {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }

    pub(in super::super) fn push_number(out: &mut Vec<u8>, field: u64, number: u64) {
        push_varint(out, field << 3);
        push_varint(out, number);
    }

    pub(in super::super) fn push_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
        push_varint(out, field << 3 | 2);
        push_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}
