//! Encrypted files as DataFusion tables.
//!
//! ```text
//! TableProvider::scan (projection, filters) → EncryptedScan → per shard: judge blocks → fetch pages → evaluate
//!      provider                                 scan                       outcomes        source       work
//! ```

mod candidates;
mod compared;
mod dates;
mod judged;
mod lookup;
mod outcomes;
mod provider;
mod reading;
mod scan;
mod source;
mod truths;
mod work;

pub(crate) use candidates::{Candidates, OneByOne};
pub(crate) use dates::{DateOfContact, beside, with_columns};
pub(crate) use provider::scan_of;
pub(crate) use scan::{EncryptedScan, TRUTH, asked, coded_text};
pub(crate) use source::{Entries, ScopeCell, Sealed, SealedFile, Source, consecutive, storage};
