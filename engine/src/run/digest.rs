//! The canonical form of a list and its digests.
//!
//! A row in canonical form is the JSON array of its cells as the list shows them, texts or null, without blanks, in
//! UTF-8. The list's SHA-256 is taken over all rows, each followed by a line feed; the leaves of its RFC 6962 tree
//! are the rows without it. Both are the same whatever file format the list is written in.

use arrow::array::{Array, RecordBatch, StringArray};
use hyperseg_storage::Digest;
use hyperseg_storage::audit::MerkleTree;
use sha2::{Digest as _, Sha256};

/// SHA-256 in hex.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Digests of a list, row by row.
#[derive(Default)]
pub(super) struct ListDigest {
    rows: u64,
    hash: Sha256,
    tree: MerkleTree,
}

impl ListDigest {
    /// Takes the rows of a rendered batch, whose columns are texts.
    pub(super) fn push(&mut self, batch: &RecordBatch) {
        let columns: Vec<Option<&StringArray>> =
            batch.columns().iter().map(|column| column.as_any().downcast_ref()).collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<Option<&str>> = columns
                .iter()
                .map(|column| column.filter(|column| column.is_valid(row)).map(|column| column.value(row)))
                .collect();
            let line = serde_json::to_vec(&cells).unwrap_or_default();
            self.hash.update(&line);
            self.hash.update(b"\n");
            self.tree.push(&line);
            self.rows += 1;
        }
    }

    /// Rows, SHA-256, Merkle root.
    pub(super) fn finish(self) -> (u64, Digest, Digest) {
        (self.rows, Digest(self.hash.finalize().into()), self.tree.root())
    }
}
