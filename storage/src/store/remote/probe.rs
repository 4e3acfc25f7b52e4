//! Whether an object store refuses a put whose condition does not hold. Everything relies on that, and there are stores
//! that take such a put without looking at the condition.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as Key;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutResult, Result};

/// Tries it on an object of this name, which is removed again.
pub(super) async fn keeps_conditions(objects: Arc<dyn ObjectStore>, key: Key) -> Result<bool> {
    let kept = try_all(&objects, &key).await;
    let removed = objects.delete(&key).await;
    let kept = kept?;
    removed.map(|()| kept)
}

async fn try_all(objects: &Arc<dyn ObjectStore>, key: &Key) -> Result<bool> {
    let old = put(objects, key, b"old", PutMode::Overwrite).await?;
    let new = put(objects, key, b"new", PutMode::Overwrite).await?;
    match put(objects, key, b"again", PutMode::Create).await {
        Err(Error::AlreadyExists { .. }) => {}
        Ok(_) => return Ok(false),
        Err(error) => return Err(error),
    }
    match put(objects, key, b"stale", PutMode::Update(old.into())).await {
        Err(Error::Precondition { .. }) => {}
        Ok(_) => return Ok(false),
        Err(error) => return Err(error),
    }
    put(objects, key, b"fresh", PutMode::Update(new.into())).await.map(|_| true)
}

async fn put(
    objects: &Arc<dyn ObjectStore>,
    key: &Key,
    bytes: &'static [u8],
    mode: PutMode,
) -> Result<PutResult> {
    let options = PutOptions { mode, ..PutOptions::default() };
    objects.put_opts(key, Bytes::from_static(bytes).into(), options).await
}
