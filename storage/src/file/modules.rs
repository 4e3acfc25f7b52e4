//! The frame of an encrypted column chunk, checked before the decoder sees it.
//!
//! An encrypted chunk is a row of modules, each `length (u32, little endian) ‖ nonce(12) ‖ ciphertext ‖ tag(16)`
//! (Parquet modular encryption, section 5.1). The decoder allocates what a length word says, up to 4 GiB, and panics
//! on words under 16. In: the bytes of a whole chunk. Out: nothing, when the words cover the chunk exactly.

/// Shortest module: nonce and tag around nothing.
const MODULE_MIN: usize = 12 + 16;

/// Whether the length words of a column chunk cover it exactly.
pub(super) fn modules_are_whole(chunk: &[u8]) -> bool {
    let mut rest = chunk;
    while !rest.is_empty() {
        let Some((word, after)) = rest.split_first_chunk::<4>() else { return false };
        let Ok(length) = usize::try_from(u32::from_le_bytes(*word)) else { return false };
        if length < MODULE_MIN {
            return false;
        }
        let Some(next) = after.get(length..) else { return false };
        rest = next;
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn words_must_cover_the_chunk() {
        let module = |length: u32, bytes: usize| [length.to_le_bytes().to_vec(), vec![7; bytes]].concat();
        let good = [module(28, 28), module(100, 100)].concat();
        assert!(modules_are_whole(&good));
        assert!(modules_are_whole(&[]));
        assert!(!modules_are_whole(&good[..good.len() - 1]));
        assert!(!modules_are_whole(&[good.clone(), vec![0]].concat()));
        assert!(!modules_are_whole(&module(27, 27)));
        assert!(!modules_are_whole(&module(u32::MAX, 28)));
        assert!(!modules_are_whole(&module(0, 0)));
    }
}
