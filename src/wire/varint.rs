//! Base-128 varints, as long as their writer made them.

/// A varint as read: its value and the bytes it took, which need not be the fewest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Varint {
    /// The value.
    pub value: u64,
    /// Bytes taken: 1 to 10.
    pub len: usize,
}

/// The longest varint, in bytes.
pub(crate) const LONGEST: usize = 10;

/// Reads a varint from the front of `bytes`; `None` if it does not end within `bytes`, is longer
/// than ten bytes or larger than 64 bits.
pub fn decode_varint(bytes: &[u8]) -> Option<Varint> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(LONGEST).enumerate() {
        if i == LONGEST - 1 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Some(Varint { value, len: i + 1 });
        }
    }
    None
}

/// Appends a varint in its shortest form.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_varint_keeps_its_length() {
        assert_eq!(
            decode_varint(&[0x85, 0x80, 0x00, 0xff]),
            Some(Varint { value: 5, len: 3 })
        );
    }

    #[test]
    fn the_largest_value_is_read_and_one_bit_more_is_not() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::MAX);
        assert_eq!(bytes.len(), 10);
        assert_eq!(decode_varint(&bytes).unwrap().value, u64::MAX);
        bytes[9] = 2;
        assert_eq!(decode_varint(&bytes), None);
        assert_eq!(decode_varint(&[0x80; 11]), None);
        assert_eq!(decode_varint(&[0x80]), None);
    }
}
