//! Sealed lists on the disk.
//!
//! ```text
//! list   = "HSEGLST" 0x01 ‖ run id(16) ‖ frame*
//! frame  = length of sealed (u32, big-endian) ‖ sealed
//! sealed = AES-256-GCM under derive(audit key, "list " ‖ run id); aad = dataset ‖ run id ‖ index ‖ final
//! ```
//!
//! Each chunk comes out as it went in. The last frame alone has `final = 1` and is empty: a list that was cut off does
//! not end with it, and one to which something was added does not end at it.

use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};

use zeroize::Zeroizing;

use super::entry::SealedFile;
use super::log::{LISTS, Log};
use super::runs::{list_name, members_name};
use super::{AuditError, RunId};
use crate::crypto::{Aad, Digest, SEAL_OVERHEAD, SealingKey, Sha256Stream};
use crate::dataset::DatasetId;
use crate::error::{Error, Result};
use crate::store::{BlobReader, Draft};

/// Longest chunk in bytes.
pub const CHUNK_BYTES_MAX: usize = 64 << 20;

const MAGIC: &[u8; 8] = b"HSEGLST\x01";

/// A list that is being written. It cannot be read before it is released.
pub struct Spool {
    run: RunId,
    dataset: DatasetId,
    key: SealingKey,
    name: String,
    file: BufWriter<Box<dyn Draft>>,
    index: u64,
    bytes: u64,
    digest: Sha256Stream,
    members: Option<Vec<u8>>,
}

impl Spool {
    pub(super) fn create(log: &Log, run: RunId) -> Result<Self> {
        let name = list_name(&run);
        let file = log.store().draft(None, &name)?;
        let mut spool = Self {
            run,
            dataset: *log.dataset(),
            key: list_key(log, &run)?,
            name,
            file: BufWriter::with_capacity(1 << 16, file),
            index: 0,
            bytes: 0,
            digest: Sha256Stream::default(),
            members: None,
        };
        spool.put(MAGIC)?;
        spool.put(run.as_bytes())?;
        Ok(spool)
    }

    /// The run that this spool belongs to.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        &self.run
    }

    /// Seals a chunk; it will be read back as it is.
    ///
    /// # Errors
    /// The chunk is longer than [`CHUNK_BYTES_MAX`], or the disk fails.
    pub fn write(&mut self, chunk: &[u8]) -> Result<()> {
        self.put_frame(chunk, false)
    }

    /// Sets the bitmap of who is on the list; it is sealed beside the list.
    ///
    /// # Errors
    /// It is longer than [`CHUNK_BYTES_MAX`], or there is no randomness.
    pub fn set_members(&mut self, bitmap: &[u8]) -> Result<()> {
        limit(bitmap)?;
        let sealed = self.key.seal(members_aad(&self.dataset, &self.run).as_bytes(), bitmap)?;
        self.members = Some(sealed);
        Ok(())
    }

    /// Puts everything on stable storage.
    pub(super) fn finish(mut self, log: &Log) -> Result<(SealedFile, Option<SealedFile>)> {
        self.put_frame(&[], true)?;
        let fail = |error| Error::io("write", self.name.clone(), error);
        let mut file = self.file.into_inner().map_err(|error| fail(error.into_error()))?;
        file.sync().and_then(|()| file.publish()).map_err(fail)?;
        let list = SealedFile { bytes: self.bytes, sha256: Digest(self.digest.finish()) };
        let members = match self.members {
            Some(sealed) => {
                let name = members_name(&self.run);
                let mut file = log.store().draft(None, &name)?;
                let written = file.write_all(&sealed).and_then(|()| file.sync());
                written.and_then(|()| file.publish()).map_err(|error| Error::io("write", name, error))?;
                let sha256 = Digest(crate::crypto::sha256(&sealed));
                Some(SealedFile { bytes: sealed.len() as u64, sha256 })
            }
            None => None,
        };
        log.store().sync(LISTS)?;
        Ok((list, members))
    }

    fn put_frame(&mut self, chunk: &[u8], last: bool) -> Result<()> {
        limit(chunk)?;
        let sealed =
            self.key.seal(chunk_aad(&self.dataset, &self.run, self.index, last).as_bytes(), chunk)?;
        let length = u32::try_from(sealed.len()).map_err(|_| too_long())?;
        self.put(&length.to_be_bytes())?;
        self.put(&sealed)?;
        self.index = self.index.saturating_add(1);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::io("write", &self.name, error))?;
        self.digest.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        Ok(())
    }
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("run", &self.run).field("chunks", &self.index).finish_non_exhaustive()
    }
}

/// The chunks of a released list, in order. After an error nothing follows; a list that has been cut off ends with one.
pub struct Chunks {
    run: RunId,
    dataset: DatasetId,
    key: SealingKey,
    file: BufReader<BlobReader>,
    index: u64,
    over: bool,
}

impl Chunks {
    pub(super) fn open(log: &Log, run: RunId) -> Result<Self> {
        let name = list_name(&run);
        let fail = |error| Error::io("read", &name, error);
        let file = log.store().open(&name)?.ok_or_else(|| fail(ErrorKind::NotFound.into()))?;
        let mut file = BufReader::with_capacity(1 << 16, BlobReader::new(file));
        let mut header = [0; 24];
        file.read_exact(&mut header).map_err(fail)?;
        if header.as_slice() != [MAGIC.as_slice(), run.as_bytes()].concat() {
            return Err(AuditError::ListDamaged { run, what: "its header is not its own" }.into());
        }
        Ok(Self { run, dataset: *log.dataset(), key: list_key(log, &run)?, file, index: 0, over: false })
    }

    fn next_chunk(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let damaged = |run, what| Error::from(AuditError::ListDamaged { run, what });
        let mut prefix = [0; 4];
        self.fill(&mut prefix)?;
        let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
        if !(SEAL_OVERHEAD..=CHUNK_BYTES_MAX + SEAL_OVERHEAD).contains(&length) {
            return Err(damaged(self.run, "the length of a chunk is impossible"));
        }
        let mut sealed = vec![0; length];
        self.fill(&mut sealed)?;
        let aad = |last| chunk_aad(&self.dataset, &self.run, self.index, last);
        if let Ok(chunk) = self.key.open(aad(false).as_bytes(), &sealed) {
            self.index = self.index.saturating_add(1);
            return Ok(Some(chunk));
        }
        if self.key.open(aad(true).as_bytes(), &sealed).is_err() {
            return Err(damaged(self.run, "a chunk does not open in its place"));
        }
        let mut more = [0; 1];
        match self.file.read(&mut more) {
            Ok(0) => Ok(None),
            Ok(_) => Err(damaged(self.run, "something follows its end")),
            Err(error) => Err(Error::io("read", list_name(&self.run), error)),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.file.read_exact(buffer).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                AuditError::ListDamaged { run: self.run, what: "it was cut off" }.into()
            }
            _ => Error::io("read", list_name(&self.run), error),
        })
    }
}

impl Iterator for Chunks {
    type Item = Result<Zeroizing<Vec<u8>>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.next_chunk().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Opens the bitmap of who was on a list.
pub(super) fn open_members(log: &Log, run: RunId) -> Result<Zeroizing<Vec<u8>>> {
    let name = members_name(&run);
    let missing = || Error::io("read", &name, ErrorKind::NotFound.into());
    let sealed = log.store().read(&name, (CHUNK_BYTES_MAX + SEAL_OVERHEAD) as u64)?.ok_or_else(missing)?;
    list_key(log, &run)?
        .open(members_aad(log.dataset(), &run).as_bytes(), &sealed)
        .map_err(|_| AuditError::ListDamaged { run, what: "its members do not open" }.into())
}

/// Length and digest of a sealed file as it lies there now; none where there is no file.
pub(super) fn measure(log: &Log, name: &str) -> Result<Option<SealedFile>> {
    let fail = |error| Error::io("read", name, error);
    let Some(file) = log.store().open(name)? else { return Ok(None) };
    let mut file = BlobReader::new(file);
    let (mut digest, mut bytes, mut buffer) = (Sha256Stream::default(), 0_u64, vec![0; 1 << 16]);
    loop {
        let count = file.read(&mut buffer).map_err(fail)?;
        let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else {
            return Ok(Some(SealedFile { bytes, sha256: Digest(digest.finish()) }));
        };
        digest.update(piece);
        bytes = bytes.saturating_add(count as u64);
    }
}

fn list_key(log: &Log, run: &RunId) -> Result<SealingKey> {
    Ok(log.key()?.derive(&format!("list {run}")))
}

fn chunk_aad(dataset: &DatasetId, run: &RunId, index: u64, last: bool) -> Aad {
    Aad::new("list chunk")
        .field(dataset.as_bytes())
        .field(run.as_bytes())
        .number(index)
        .number(u64::from(last))
}

fn members_aad(dataset: &DatasetId, run: &RunId) -> Aad {
    Aad::new("list members").field(dataset.as_bytes()).field(run.as_bytes())
}

fn limit(chunk: &[u8]) -> Result<()> {
    if chunk.len() > CHUNK_BYTES_MAX { Err(too_long()) } else { Ok(()) }
}

fn too_long() -> Error {
    Error::Limit { what: "length of a chunk of a list".into(), max: CHUNK_BYTES_MAX as u64 }
}
