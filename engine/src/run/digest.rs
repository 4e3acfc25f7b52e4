//! The canonical form of a list and its digests.
//!
//! A row in canonical form is the JSON array of its cells as the list shows them, texts or null, without blanks, in
//! UTF-8. The list's SHA-256 is taken over all rows, each followed by a line feed; the leaves of its RFC 6962 tree
//! are the rows without it. Both are the same whatever file format the list is written in.

use arrow::array::{Array, RecordBatch, StringArray};
use hyperseg_storage::Digest;
use hyperseg_storage::audit::MerkleTree;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// SHA-256 in hex.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Rows in canonical form, and the tree over them.
pub(super) struct CanonicalRows {
    lines: Zeroizing<Vec<u8>>,
    tree: MerkleTree,
}

impl CanonicalRows {
    /// Of the rows of a rendered batch, whose columns are texts.
    pub(super) fn of(batch: &RecordBatch) -> Self {
        let columns: Vec<Option<&StringArray>> =
            batch.columns().iter().map(|column| column.as_any().downcast_ref()).collect();
        let mut lines = Zeroizing::new(Vec::with_capacity(batch.num_rows() * 64));
        let mut tree = MerkleTree::default();
        for row in 0..batch.num_rows() {
            let start = lines.len();
            for (place, column) in columns.iter().enumerate() {
                lines.push(if place == 0 { b'[' } else { b',' });
                match column.filter(|column| column.is_valid(row)) {
                    Some(column) => push_text(&mut lines, column.value(row)),
                    None => lines.extend_from_slice(b"null"),
                }
            }
            lines.push(b']');
            tree.push(lines.get(start..).unwrap_or_default());
            lines.push(b'\n');
        }
        Self { lines, tree }
    }
}

/// A text as JSON writes it.
fn push_text(line: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        line.push(b'"');
        line.extend_from_slice(text.as_bytes());
        line.push(b'"');
    } else {
        line.extend_from_slice(&serde_json::to_vec(text).unwrap_or_default());
    }
}

/// Digests of a list, piece by piece. Every piece but the last has the same number of rows, a power of two.
#[derive(Default)]
pub(super) struct ListDigest {
    hash: Sha256,
    tree: MerkleTree,
}

impl ListDigest {
    /// Takes the next piece; says whether it fits behind the others.
    pub(super) fn push(&mut self, rows: CanonicalRows) -> bool {
        self.hash.update(rows.lines.as_slice());
        self.tree.append(rows.tree).is_ok()
    }

    /// Rows, SHA-256, Merkle root.
    pub(super) fn finish(self) -> (u64, Digest, Digest) {
        (self.tree.leaves(), Digest(self.hash.finalize().into()), self.tree.root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_as_json_writes_them() {
        for text in ["", "plain", "Zoë 🙂", "a\"b", "back\\slash", "tab\tand\u{1}", "\u{7f}", "line\nfeed"]
        {
            let mut line = Vec::new();
            push_text(&mut line, text);
            assert_eq!(line, serde_json::to_vec(text).unwrap(), "{text:?}");
        }
    }
}
