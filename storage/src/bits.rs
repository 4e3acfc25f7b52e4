//! Bitmaps of what holds for values.
//!
//! Answers of 64 values are made first, a byte each, and then packed: the first loop has nothing in it but a comparison, which
//! compilers turn into vector instructions of any machine. Made and packed in one loop, they take four times as long.

use arrow::buffer::{BooleanBuffer, Buffer};

/// A bit for each value: whether something holds for it. Quickest where that takes no branches: `&` rather than `&&`.
pub fn packed<V>(values: &[V], holds: impl Fn(&V) -> bool) -> BooleanBuffer {
    packed_by(values, |values, flags| {
        for (flag, value) in flags.iter_mut().zip(values) {
            *flag = u8::from(holds(value));
        }
    })
}

/// A bit for each value, from flags that `fill` makes of up to 64 values at a time: they are 0 when it gets them, and 0 or 1
/// when it is done.
pub fn packed_by<V>(values: &[V], fill: impl Fn(&[V], &mut [u8])) -> BooleanBuffer {
    let mut words: Vec<u64> = Vec::with_capacity(values.len().div_ceil(64));
    let (chunks, rest) = values.as_chunks::<64>();
    words.extend(chunks.iter().map(|chunk| {
        let mut flags = [0; 64];
        fill(chunk, &mut flags);
        word_of(&flags)
    }));
    if !rest.is_empty() {
        let mut flags = [0; 64];
        fill(rest, flags.get_mut(..rest.len()).unwrap_or_default());
        words.push(word_of(&flags));
    }
    BooleanBuffer::new(Buffer::from_vec(words), 0, values.len())
}

/// The bits of 64 flags, the first in the lowest bit of the first byte in memory.
fn word_of(flags: &[u8; 64]) -> u64 {
    let (eights, _) = flags.as_chunks::<8>();
    let mut bytes = [0; 8];
    for (byte, flags) in bytes.iter_mut().zip(eights) {
        *byte = byte_of(*flags);
    }
    u64::from_ne_bytes(bytes)
}

/// The byte of eight flags, each 0 or 1, the first in the lowest bit. The product moves flag *i* to bit 56 + *i*, and no
/// two flags ever to the same place.
const fn byte_of(flags: [u8; 8]) -> u8 {
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
            let sums = packed_by(&values, |values, flags| {
                for wanted in [1, 4] {
                    flags
                        .iter_mut()
                        .zip(values)
                        .for_each(|(flag, value)| *flag |= u8::from(*value == wanted));
                }
            });
            assert!(sums.iter().zip(&values).all(|(bit, value)| bit == matches!(value, 1 | 4)));
        }
    }
}
