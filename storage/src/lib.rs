//! Encrypted datasets of hyperseg.
mod crypto;
pub mod keyring;
pub mod layout;
pub mod dataset;
pub mod error;

pub use error::{Error, ErrorKind, Result};
pub use crypto::{Digest, Secret};
