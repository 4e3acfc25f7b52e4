//! The hash tree of RFC 6962, section 2.1, built leaf by leaf.
//!
//! `leaf = SHA-256(0x00 ‖ bytes)`, `node = SHA-256(0x01 ‖ left ‖ right)`, `root of nothing = SHA-256("")`. Memory grows
//! with the logarithm of the number of leaves.

use crate::crypto::{Digest, Sha256Stream, sha256};

/// A tree that takes leaves in order and gives their root.
#[derive(Clone, Default)]
pub struct MerkleTree {
    leaves: u64,
    /// Roots of the full subtrees so far, the largest first: one for each bit set in `leaves`.
    peaks: Vec<[u8; 32]>,
}

impl MerkleTree {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        let mut hash = Sha256Stream::default();
        hash.update(&[0]);
        hash.update(leaf);
        let mut top = hash.finish();
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                top = node(&left, &top);
            }
        }
        self.peaks.push(top);
        self.leaves = self.leaves.saturating_add(1);
    }

    /// Appends all leaves of another tree, which was built elsewhere meanwhile. This tree's number of leaves must be a
    /// multiple of a power of two that the other's does not exceed; otherwise the other tree comes back.
    ///
    /// # Errors
    /// The other tree does not fit behind this one.
    pub fn append(&mut self, other: Self) -> Result<(), Self> {
        let aligned =
            other.leaves.checked_next_power_of_two().is_some_and(|size| self.leaves.is_multiple_of(size));
        if !aligned {
            return Err(other);
        }
        let mut left = other.leaves;
        for peak in other.peaks {
            // The peak over the highest bit that is left.
            let size = 1 << left.ilog2();
            left -= size;
            let mut top = peak;
            let mut joined = self.leaves / size;
            while joined & 1 == 1 {
                if let Some(left) = self.peaks.pop() {
                    top = node(&left, &top);
                }
                joined >>= 1;
            }
            self.peaks.push(top);
            self.leaves = self.leaves.saturating_add(size);
        }
        Ok(())
    }

    /// Number of leaves.
    #[must_use]
    pub const fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The root of the leaves so far.
    #[must_use]
    pub fn root(&self) -> Digest {
        let joined = self.peaks.iter().rev().copied().reduce(|right, left| node(&left, &right));
        Digest(joined.unwrap_or_else(|| sha256(b"")))
    }
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256Stream::default();
    hash.update(&[1]);
    hash.update(left);
    hash.update(right);
    hash.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;

    /// The leaves and roots that the reference implementations of Certificate Transparency are tested with.
    #[test]
    fn roots_of_certificate_transparency() {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = MerkleTree::new();
        for (count, root) in roots.iter().enumerate() {
            assert_eq!(tree.root().to_string(), *root, "{count} leaves");
            if count < leaves.len() {
                tree.push(leaves[count]);
            }
        }
        assert_eq!(tree.leaves(), 8);
    }

    #[test]
    fn trees_are_joined() {
        let leaf = |number: u32| number.to_le_bytes();
        let tree = |range: std::ops::Range<u32>| {
            let mut tree = MerkleTree::new();
            range.for_each(|number| tree.push(&leaf(number)));
            tree
        };
        for count in 0..70 {
            let mut joined = MerkleTree::new();
            for start in (0..count).step_by(8) {
                assert!(joined.append(tree(start..count.min(start + 8))).is_ok());
            }
            assert_eq!(joined.root(), tree(0..count).root(), "{count} leaves");
            assert_eq!(joined.leaves(), u64::from(count));
        }
        assert!(tree(0..3).append(tree(0..2)).is_err());
    }
}
