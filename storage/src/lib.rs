//! Encrypted datasets of hyperseg.
pub mod audit;
mod crypto;
pub mod keyring;
pub mod layout;
pub mod process;
pub mod dataset;
pub mod error;

pub use error::{Error, ErrorKind, Result};
pub use crypto::{Digest, Secret};
