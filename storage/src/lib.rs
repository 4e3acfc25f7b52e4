//! Encrypted datasets of hyperseg.
pub mod layout;
