//! Bitmaps of what holds for values, eight values at a time.

use arrow::buffer::{BooleanBuffer, Buffer};

/// A bit for each value: whether something holds for it.
pub fn packed<V>(values: &[V], holds: impl Fn(&V) -> bool) -> BooleanBuffer {
    let mut bytes = Vec::with_capacity(values.len().div_ceil(8));
    let mut chunks = values.chunks_exact(8);
    for chunk in &mut chunks {
        let mut flags = [0_u8; 8];
        for (flag, value) in flags.iter_mut().zip(chunk) {
            *flag = u8::from(holds(value));
        }
        bytes.push(byte_of(flags));
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        bytes.push(rest.iter().rev().fold(0, |byte, value| byte << 1 | u8::from(holds(value))));
    }
    BooleanBuffer::new(Buffer::from_vec(bytes), 0, values.len())
}

/// The byte of eight flags, each 0 or 1, the first in the lowest bit. The product moves flag *i* to bit 56 + *i*, and no
/// two flags ever to the same place.
#[must_use]
pub const fn byte_of(flags: [u8; 8]) -> u8 {
    (u64::from_le_bytes(flags).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_out() {
        for byte in 0..=u8::MAX {
            let flags = std::array::from_fn(|bit| byte >> bit & 1);
            assert_eq!(byte_of(flags), byte);
        }
    }

    #[test]
    fn bits_are_in_the_order_of_values() {
        for length in [0, 1, 7, 8, 9, 63, 64, 65, 200] {
            let values: Vec<u32> = (0..length).map(|value| value * 7 % 5).collect();
            let bits = packed(&values, |value| *value > 2);
            assert_eq!(bits.len(), values.len());
            assert!(bits.iter().zip(&values).all(|(bit, value)| bit == (*value > 2)));
        }
    }
}
