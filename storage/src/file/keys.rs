//! Data keys of one file, and the words that bind keys and pages to their place.
//!
//! In: the place of a file. Out: additional authenticated data, fresh keys, wrapped and unwrapped keys. It can never
//! happen that a key wrapped for one file, column, class or dataset opens as that of another.

use hyperseg_dsl::schema::Class;

use crate::crypto::{Aad, DataKey, KeyId, SealingKey};
use crate::dataset::{DatasetId, FileEntry, FileId, TableId, WrappedKey};
use crate::error::{Error, Result};

/// Key metadata of the footer; no column of ours has this name.
pub(crate) const FOOTER_KEY: &str = "footer";

/// Where a file belongs; every module of the file is bound to it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) dataset: DatasetId,
    pub(crate) file: FileId,
    pub(crate) table: TableId,
    pub(crate) class: Class,
    pub(crate) shard: u32,
    pub(crate) generation: u64,
}

impl Place {
    /// Place of a file that a manifest of this dataset names.
    pub(crate) fn of(dataset: DatasetId, entry: &FileEntry) -> Self {
        Self {
            dataset,
            file: entry.id,
            table: entry.table.clone(),
            class: entry.class,
            shard: entry.shard,
            generation: entry.generation,
        }
    }

    /// `aad_prefix` of the Parquet file; not stored in it.
    pub(crate) fn aad_prefix(&self) -> Vec<u8> {
        self.bind(Aad::new("hyperseg parquet v1")).as_bytes().to_vec()
    }

    /// Data that the page directory of a column is bound to.
    pub(crate) fn directory_aad(&self, column: &str) -> Aad {
        self.bind(Aad::new("hyperseg page directory v1")).field(column.as_bytes())
    }

    /// Data that a deletion vector of the file is bound to.
    pub(crate) fn vector_aad(&self, id: &FileId) -> Aad {
        self.bind(Aad::new("hyperseg deletion vector v1")).field(id.as_bytes())
    }

    /// Data that a wrapped data key is bound to.
    fn key_aad(&self, column: &str, key: &KeyId) -> Aad {
        self.bind(Aad::new("hyperseg data key v1")).field(column.as_bytes()).field(key.as_bytes())
    }

    fn bind(&self, aad: Aad) -> Aad {
        let table: &[u8] = match &self.table {
            TableId::Contact => b"contact",
            TableId::Record(_) => b"record",
            TableId::History => b"history",
        };
        aad.field(self.dataset.as_bytes())
            .field(self.file.as_bytes())
            .field(table)
            .field(self.table.name().as_bytes())
            .field(self.class.name().as_bytes())
            .number(u64::from(self.shard))
            .number(self.generation)
    }

    /// Wraps the key of a column, or of the footer under the name [`FOOTER_KEY`].
    pub(crate) fn wrap(&self, class_key: &SealingKey, column: &str, key: &DataKey) -> Result<WrappedKey> {
        let aad = self.key_aad(column, class_key.id());
        key.wrap(class_key, aad.as_bytes()).map(WrappedKey)
    }

    /// Unwraps the key of a column, or of the footer.
    ///
    /// # Errors
    /// The class key is another one, or the entry was made for another place.
    pub(crate) fn unwrap(
        &self,
        class_key: &SealingKey,
        key_id: &KeyId,
        column: &str,
        wrapped: &WrappedKey,
    ) -> Result<DataKey> {
        let wrong = || Error::WrongKey { what: format!("column `{column}` of {}", self.file.file_name()) };
        if key_id != class_key.id() {
            return Err(wrong());
        }
        let aad = self.key_aad(column, key_id);
        DataKey::unwrap(class_key, aad.as_bytes(), &wrapped.0).map_err(|_| wrong())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            dataset: DatasetId::random(),
            file: FileId::random(),
            table: TableId::Record("condition".to_owned()),
            class: Class::Clinical,
            shard: 3,
            generation: 8,
        }
    }

    #[test]
    fn a_wrapped_key_opens_in_its_place_only() {
        let (here, class_key, key) = (place(), SealingKey::generate().unwrap(), DataKey::generate().unwrap());
        let wrapped = here.wrap(&class_key, "code", &key).unwrap();
        let opened = here.unwrap(&class_key, class_key.id(), "code", &wrapped).unwrap();
        assert_eq!(opened.to_parquet(), key.to_parquet());
        assert!(here.unwrap(&class_key, class_key.id(), "status", &wrapped).is_err());
        let other_key = SealingKey::generate().unwrap();
        assert!(here.unwrap(&other_key, class_key.id(), "code", &wrapped).is_err());
        assert!(here.unwrap(&other_key, other_key.id(), "code", &wrapped).is_err());

        let moved = [
            Place { dataset: DatasetId::random(), ..here.clone() },
            Place { file: FileId::random(), ..here.clone() },
            Place { table: TableId::Contact, ..here.clone() },
            Place { table: TableId::Record("procedure".to_owned()), ..here.clone() },
            Place { table: TableId::History, ..here.clone() },
            Place { class: Class::Hiv, ..here.clone() },
            Place { shard: 4, ..here.clone() },
            Place { generation: 9, ..here.clone() },
        ];
        for there in moved {
            assert!(there.unwrap(&class_key, class_key.id(), "code", &wrapped).is_err(), "{there:?}");
            assert_ne!(there.aad_prefix(), here.aad_prefix(), "{there:?}");
        }
        assert_eq!(here.clone().aad_prefix(), here.aad_prefix());
    }

    #[test]
    fn no_column_is_called_like_the_footer() {
        let schema = hyperseg_dsl::schema::Schema::built_in();
        let mut files = vec![];
        for class in crate::layout::contact_classes(&schema) {
            files.push(crate::layout::contact_schema(&schema, class));
        }
        files.extend(schema.records.iter().map(crate::layout::record_schema));
        for file in files {
            assert!(
                file.fields().iter().all(|field| field.name() != FOOTER_KEY && !field.name().contains('.'))
            );
        }
    }
}
