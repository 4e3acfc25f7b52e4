//! The file `audit/log`.
//!
//! ```text
//! log    = "HSEGAUD" 0x01 ‖ dataset id(16) ‖ frame*
//! frame  = length of sealed (u32, big-endian) ‖ sealed ‖ chain(32)
//! sealed = AES-256-GCM under the audit key; aad = dataset ‖ record number ‖ chain before
//! chain  = SHA-256(chain before ‖ sealed);  chain before the first record = SHA-256("hyperseg audit chain v1" ‖ dataset id)
//! ```
//!
//! In: a file and the place to go on from. Out: the records that prove themselves, in order, and what comes after
//! them. It can never happen that a record is shown that was not sealed for this place in this log.

use std::io::Read;

use zeroize::Zeroizing;

use crate::crypto::{Aad, SEAL_OVERHEAD, SealingKey, Sha256Stream, equal};
use crate::dataset::DatasetId;
use crate::error::{Error, Result};
use crate::store::After;

/// Name of the file in errors.
pub(super) const LOG: &str = "audit/log";
/// Longest sealed record. A record holds one segment text and its counts.
pub(super) const SEALED_MAX: usize = 16 << 20;

const MAGIC: &[u8; 8] = b"HSEGAUD\x01";
/// Bytes of the chain at the end of a frame.
pub(super) const CHAIN_BYTES: usize = 32;
const CHAIN_LEN: u64 = CHAIN_BYTES as u64;
const LENGTH_LEN: u64 = 4;

/// A place in the log: after so many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Records before this place.
    pub(super) records: u64,
    /// Chain hash after them.
    pub(super) chain: [u8; 32],
    /// Bytes of the file before this place.
    pub(super) bytes: u64,
}

/// What follows the last record that proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    Whole,
    /// A frame that was not written to its end, or nothing but zeros.
    Torn,
    /// A frame that is there but does not prove itself.
    Broken {
        /// What is wrong.
        what: &'static str,
        /// Nothing follows the frame.
        last: bool,
    },
}

/// The bytes before the first frame.
pub(super) fn header(dataset: &DatasetId) -> Vec<u8> {
    [MAGIC.as_slice(), dataset.as_bytes()].concat()
}

/// The place before the first record.
pub(super) fn start(dataset: &DatasetId) -> Head {
    let mut hash = Sha256Stream::default();
    hash.update(b"hyperseg audit chain v1");
    hash.update(dataset.as_bytes());
    Head { records: 0, chain: hash.finish(), bytes: header(dataset).len() as u64 }
}

/// The frame of the next record and the place after it.
pub(super) fn encode(
    key: &SealingKey,
    dataset: &DatasetId,
    head: &Head,
    payload: &[u8],
) -> Result<(Vec<u8>, Head)> {
    let sealed = key.seal(aad(dataset, head).as_bytes(), payload)?;
    let length = u32::try_from(sealed.len()).ok().filter(|_| sealed.len() <= SEALED_MAX);
    let length =
        length.ok_or(Error::Limit { what: "length of an audit record".into(), max: SEALED_MAX as u64 })?;
    let chain = next_chain(&head.chain, &sealed);
    let frame = [length.to_be_bytes().as_slice(), &sealed, &chain].concat();
    let bytes = head.bytes.saturating_add(frame.len() as u64);
    Ok((frame, Head { records: head.records.saturating_add(1), chain, bytes }))
}

/// Reads the records that follow a place. `visit` sees each with the place after it.
///
/// # Errors
/// They cannot be read, or `visit` fails. Bytes that prove nothing are no error but a [`Tail`].
pub(super) fn scan(
    after: After,
    key: &SealingKey,
    dataset: &DatasetId,
    from: Head,
    mut visit: impl FnMut(&Head, &[u8]) -> Result<()>,
) -> Result<(Head, Tail)> {
    let fail = |error| Error::io("read", LOG, error);
    let After { bytes: mut reader, length, gap, is_short } = after;
    // A log that ends before the place we started from has lost what was proven before.
    if is_short {
        return Ok((from, Tail::Torn));
    }
    let mut left = length;
    if from.records == 0 {
        let expected = header(dataset);
        if length < expected.len() as u64 {
            return Ok((from, Tail::Broken { what: "the header is cut off", last: false }));
        }
        let mut found = vec![0; expected.len()];
        reader.read_exact(&mut found).map_err(fail)?;
        if found != expected {
            return Ok((
                from,
                Tail::Broken { what: "the header is not the one of this dataset", last: false },
            ));
        }
        left -= expected.len() as u64;
    }
    let mut head = from;
    loop {
        if left == 0 {
            let missing = Tail::Broken { what: "it is missing, and others follow", last: false };
            return Ok((head, if gap { missing } else { Tail::Whole }));
        }
        if left < LENGTH_LEN {
            return Ok((head, Tail::Torn));
        }
        let mut prefix = [0; 4];
        reader.read_exact(&mut prefix).map_err(fail)?;
        let sealed_len = u64::from(u32::from_be_bytes(prefix));
        if sealed_len < SEAL_OVERHEAD as u64 || sealed_len > SEALED_MAX as u64 {
            if prefix == [0; 4] && only_zeros(&mut reader, left - LENGTH_LEN).map_err(fail)? {
                return Ok((head, Tail::Torn));
            }
            return Ok((head, Tail::Broken { what: "its length is impossible", last: false }));
        }
        let frame_len = LENGTH_LEN + sealed_len + CHAIN_LEN;
        if left < frame_len {
            return Ok((head, Tail::Torn));
        }
        let broken = |what| Tail::Broken { what, last: left == frame_len };
        let mut sealed = vec![0; usize::try_from(sealed_len).unwrap_or(SEALED_MAX)];
        reader.read_exact(&mut sealed).map_err(fail)?;
        let mut chain = [0; 32];
        reader.read_exact(&mut chain).map_err(fail)?;
        if !equal(&chain, &next_chain(&head.chain, &sealed)) {
            return Ok((head, broken("it does not follow from the record before")));
        }
        let Ok(payload) = open(key, dataset, &head, &sealed) else {
            return Ok((head, broken("it does not open under the audit key")));
        };
        head = Head {
            records: head.records.saturating_add(1),
            chain,
            bytes: head.bytes.saturating_add(frame_len),
        };
        left -= frame_len;
        visit(&head, &payload)?;
    }
}

fn open(
    key: &SealingKey,
    dataset: &DatasetId,
    head: &Head,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, crate::crypto::Unauthentic> {
    key.open(aad(dataset, head).as_bytes(), sealed)
}

fn aad(dataset: &DatasetId, head: &Head) -> Aad {
    Aad::new("audit record").field(dataset.as_bytes()).number(head.records).field(&head.chain)
}

fn next_chain(before: &[u8; 32], sealed: &[u8]) -> [u8; 32] {
    let mut hash = Sha256Stream::default();
    hash.update(before);
    hash.update(sealed);
    hash.finish()
}

fn only_zeros(reader: &mut impl Read, mut left: u64) -> std::io::Result<bool> {
    let mut buffer = [0; 4096];
    while left > 0 {
        let take = usize::try_from(left).unwrap_or(buffer.len()).min(buffer.len());
        let piece = buffer.get_mut(..take).unwrap_or_default();
        reader.read_exact(piece)?;
        if piece.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        left -= take as u64;
    }
    Ok(true)
}
