//! Requests to an object store, made on threads of their own and waited for by the caller.
//!
//! In: a future. Out: what it gives. The callers of this crate are plain functions, on threads of rayon, of an embedding
//! program or of the engine's runtime; none of them may be asked to poll. The threads end with the last handle.

use std::future::Future;
use std::io;
use std::sync::mpsc;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// Threads that talk to the store; what they do is wait.
const THREADS: usize = 2;

#[derive(Debug)]
pub(super) struct Driver {
    handle: Handle,
    /// Taken when the driver is dropped: a runtime must not be dropped by a thread of another one.
    runtime: Option<Runtime>,
}

impl Driver {
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("hyperseg-store")
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Waits for a future.
    ///
    /// # Errors
    /// It panicked.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<T> {
        let (send, receive) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            // Nobody takes it when the caller is gone.
            let _ = send.send(future.await);
        });
        receive.recv().map_err(|_| io::Error::other("a request to the object store came to nothing"))
    }

    /// Lets a future go on by itself.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(future)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
