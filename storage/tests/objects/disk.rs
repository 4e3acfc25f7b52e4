//! An object store of which request n fails.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chrono::TimeDelta;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// How the request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It has no effect; the next ones work.
    OnceBefore,
    /// It has its effect and its answer is lost; the next ones work.
    OnceAfter,
    /// It has no effect, and nothing after it has.
    DeadBefore,
    /// It has its effect, and nothing after it has.
    DeadAfter,
}

pub const MODES: [Mode; 4] = [Mode::OnceBefore, Mode::OnceAfter, Mode::DeadBefore, Mode::DeadAfter];

/// Which request fails, and how.
#[derive(Debug)]
pub struct Faulty {
    at: u64,
    mode: Mode,
    done: AtomicU64,
    struck: Mutex<Option<String>>,
    /// Until then nothing is counted.
    armed: AtomicBool,
}

impl Faulty {
    pub fn new(at: u64, mode: Mode) -> Self {
        Self { at, mode, done: AtomicU64::new(0), struck: Mutex::new(None), armed: AtomicBool::new(false) }
    }

    /// Counts from here on.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }

    /// Requests made.
    pub fn count(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// The request that failed.
    pub fn struck(&self) -> Option<String> {
        self.struck.lock().unwrap().clone()
    }

    /// Whether a request has its effect, and whether its answer arrives.
    fn decide(&self, what: &str, path: &Path) -> (bool, bool) {
        if !self.armed.load(Ordering::Relaxed) {
            return (true, true);
        }
        let n = self.done.fetch_add(1, Ordering::Relaxed);
        if n == self.at {
            *self.struck.lock().unwrap() = Some(format!("{what} {path}"));
        }
        match (n.cmp(&self.at), self.mode) {
            (std::cmp::Ordering::Less, _) => (true, true),
            (std::cmp::Ordering::Equal, Mode::OnceBefore | Mode::DeadBefore) => (false, false),
            (std::cmp::Ordering::Equal, Mode::OnceAfter | Mode::DeadAfter) => (true, false),
            (std::cmp::Ordering::Greater, Mode::OnceBefore | Mode::OnceAfter) => (true, true),
            (std::cmp::Ordering::Greater, Mode::DeadBefore | Mode::DeadAfter) => (false, false),
        }
    }
}

/// A store under a [`Faulty`]. Objects that are as they were when it was made seem to be a day old.
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    faulty: Arc<Faulty>,
    old: HashMap<Path, Option<String>>,
}

impl FaultyStore {
    pub async fn new(inner: Arc<dyn ObjectStore>, faulty: Arc<Faulty>) -> Self {
        let all: Vec<ObjectMeta> = inner.list(None).map(|meta| meta.unwrap()).collect().await;
        let old = all.into_iter().map(|meta| (meta.location, meta.e_tag)).collect();
        Self { inner, faulty, old }
    }

    async fn ask<T>(
        &self,
        what: &str,
        path: &Path,
        request: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let (has_effect, is_answered) = self.faulty.decide(what, path);
        let answer = if has_effect { Some(request.await) } else { None };
        match answer {
            Some(answer) if is_answered => answer,
            _ => Err(lost()),
        }
    }

    fn aged(&self, meta: ObjectMeta) -> ObjectMeta {
        aged(&self.old, meta)
    }
}

fn aged(old: &HashMap<Path, Option<String>>, mut meta: ObjectMeta) -> ObjectMeta {
    if old.get(&meta.location) == Some(&meta.e_tag) {
        meta.last_modified -= TimeDelta::days(1);
    }
    meta
}

fn lost() -> Error {
    Error::Generic { store: "test", source: "no answer".into() }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory:")
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.ask("put", path, self.inner.put_opts(path, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.ask("begin", path, self.inner.put_multipart_opts(path, options)).await?;
        Ok(Box::new(FaultyUpload { upload, faulty: Arc::clone(&self.faulty), path: path.clone() }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let mut found = self.ask("get", path, self.inner.get_opts(path, options)).await?;
        found.meta = self.aged(found.meta);
        Ok(found)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, faulty) = (Arc::clone(&self.inner), Arc::clone(&self.faulty));
        locations
            .then(move |path| {
                let (inner, faulty) = (Arc::clone(&inner), Arc::clone(&faulty));
                async move {
                    let path = path?;
                    let (has_effect, is_answered) = faulty.decide("delete", &path);
                    if has_effect {
                        inner.delete(&path).await?;
                    }
                    if is_answered { Ok(path) } else { Err(lost()) }
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (_, is_answered) = self.faulty.decide("list", &prefix.cloned().unwrap_or_default());
        if !is_answered {
            return async { Err(lost()) }.into_stream().boxed();
        }
        let old = self.old.clone();
        self.inner.list(prefix).map(move |meta| meta.map(|meta| aged(&old, meta))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let place = prefix.cloned().unwrap_or_default();
        let mut found = self.ask("list", &place, self.inner.list_with_delimiter(prefix)).await?;
        found.objects = found.objects.into_iter().map(|meta| self.aged(meta)).collect();
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.ask("copy", from, self.inner.copy_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    upload: Box<dyn MultipartUpload>,
    faulty: Arc<Faulty>,
    path: Path,
}

#[async_trait::async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (has_effect, is_answered) = self.faulty.decide("part", &self.path);
        let part = has_effect.then(|| self.upload.put_part(data));
        async move {
            if let Some(part) = part {
                part.await?;
            }
            if is_answered { Ok(()) } else { Err(lost()) }
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (has_effect, is_answered) = self.faulty.decide("complete", &self.path);
        let done = if has_effect { Some(self.upload.complete().await) } else { None };
        match done {
            Some(done) if is_answered => done,
            _ => Err(lost()),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        let (has_effect, is_answered) = self.faulty.decide("abort", &self.path);
        if has_effect {
            self.upload.abort().await?;
        }
        if is_answered { Ok(()) } else { Err(lost()) }
    }
}
