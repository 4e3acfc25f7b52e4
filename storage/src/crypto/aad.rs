//! Additional authenticated data, built so that two different lists of fields never give the same bytes.
//!
//! `aad = len(purpose) ‖ purpose ‖ len(field) ‖ field ‖ …`, each length a big-endian u64.

/// Builder of additional authenticated data.
#[derive(Clone, Debug)]
pub(crate) struct Aad(Vec<u8>);

impl Aad {
    /// Starts with what the sealed bytes are for, such as `"column key"`.
    pub(crate) fn new(purpose: &str) -> Self {
        Self(Vec::new()).field(purpose.as_bytes())
    }

    /// Appends a field.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a number.
    pub(crate) fn number(self, number: u64) -> Self {
        self.field(&number.to_be_bytes())
    }

    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_of_fields_matter() {
        let one = Aad::new("p").field(b"ab").field(b"c");
        let other = Aad::new("p").field(b"a").field(b"bc");
        assert_ne!(one.as_bytes(), other.as_bytes());
        assert_ne!(Aad::new("p").field(b"").as_bytes(), Aad::new("p").as_bytes());
    }
}
