//! A long object, sent in parts while it is being made.

use std::io::{self, Write};
use std::sync::Arc;

use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::task::JoinHandle;

use super::driver::Driver;
use super::failure::io_error;
use crate::store::Draft;

/// Bytes of a part; S3 takes ten thousand of them at most.
const PART_BYTES: usize = 16 << 20;
/// Parts on their way at once.
const PARTS_MAX: usize = 3;

type Part = JoinHandle<object_store::Result<()>>;

/// An object of which nobody knows until it is there in full.
pub(super) struct Upload {
    objects: Arc<dyn ObjectStore>,
    driver: Arc<Driver>,
    key: Key,
    name: String,
    buffer: Vec<u8>,
    upload: Option<Box<dyn MultipartUpload>>,
    parts: Vec<Part>,
    /// All of it is there.
    is_there: bool,
    /// Removed unless it is published.
    is_draft: bool,
}

impl Upload {
    pub(super) fn new(
        objects: Arc<dyn ObjectStore>,
        driver: Arc<Driver>,
        key: Key,
        name: &str,
        is_draft: bool,
    ) -> Self {
        Self {
            objects,
            driver,
            key,
            name: name.to_owned(),
            buffer: Vec::new(),
            upload: None,
            parts: Vec::new(),
            is_there: false,
            is_draft,
        }
    }

    fn send_part(&mut self) -> io::Result<()> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let (objects, key) = (Arc::clone(&self.objects), self.key.clone());
                let begun = self.driver.wait(async move { objects.put_multipart(&key).await })?;
                none.insert(begun.map_err(|error| io_error(&error))?)
            }
        };
        let part = upload.put_part(std::mem::take(&mut self.buffer).into());
        self.parts.push(self.driver.spawn(part));
        self.wait_for_parts(PARTS_MAX - 1)
    }

    /// Waits until at most so many parts are on their way.
    fn wait_for_parts(&mut self, most: usize) -> io::Result<()> {
        while self.parts.len() > most {
            let part = self.parts.remove(0);
            let sent = self.driver.wait(part)?;
            sent.map_err(io::Error::other)?.map_err(|error| io_error(&error))?;
        }
        Ok(())
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART_BYTES {
            self.send_part()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Draft for Upload {
    fn sync(&mut self) -> io::Result<()> {
        if self.upload.is_none() {
            let (objects, key) = (Arc::clone(&self.objects), self.key.clone());
            let bytes = std::mem::take(&mut self.buffer);
            self.driver.wait(async move { create(&objects, &key, bytes.into()).await })??;
        } else {
            if !self.buffer.is_empty() {
                self.send_part()?;
            }
            self.wait_for_parts(0)?;
            if let Some(mut upload) = self.upload.take() {
                let done = self.driver.wait(async move { upload.complete().await })?;
                done.map_err(|error| io_error(&error))?;
            }
        }
        self.is_there = true;
        Ok(())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn publish(mut self: Box<Self>) -> io::Result<()> {
        self.is_draft = false;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next writer; parts of nothing by a rule of the bucket.
        if let Some(mut upload) = self.upload.take() {
            let _ = self.driver.wait(async move { upload.abort().await });
        } else if self.is_there && self.is_draft {
            let (objects, key) = (Arc::clone(&self.objects), self.key.clone());
            let _ = self.driver.wait(async move { objects.delete(&key).await });
        }
    }
}

/// Puts an object that is not there yet.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when another one is there.
pub(super) async fn create(objects: &Arc<dyn ObjectStore>, key: &Key, bytes: bytes::Bytes) -> io::Result<()> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let Err(error) = objects.put_opts(key, bytes.clone().into(), options).await else { return Ok(()) };
    // An answer may have been lost, and the client may have asked again by itself: what is there can be what was put.
    match objects.get(key).await {
        Ok(found) if found.meta.size == bytes.len() as u64 => match found.bytes().await {
            Ok(there) if there == bytes => Ok(()),
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => Err(io_error(&error)),
        },
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => Err(io_error(&error)),
    }
}
