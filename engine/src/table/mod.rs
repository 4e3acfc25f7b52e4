//! Encrypted files as DataFusion tables.
//!
//! ```text
//! TableProvider::scan (projection, filters) → EncryptedScan → per shard: judge blocks → fetch pages → evaluate
//!      provider                                 scan                       outcomes        source       work
//! ```

mod lookup;
mod outcomes;
mod provider;
mod scan;
mod source;
mod work;

pub(crate) use provider::scan_of;
pub(crate) use scan::{EncryptedScan, TRUTH};
pub(crate) use source::{ScopeCell, Sealed, SealedFile, Source, consecutive};
