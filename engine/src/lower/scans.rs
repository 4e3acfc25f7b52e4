//! The tables of one generation, as scans under the keys of one query.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlanBuilder;
use hyperseg_dsl::schema::{Class, Field, RecordKind};
use hyperseg_storage::layout::{contact_schema, known_column, record_schema};
use hyperseg_storage::{FileEntry, Snapshot};

use crate::sets::Shards;
use crate::table::{Sealed, Source, consecutive, scan_of};

/// Makes scans of one generation.
pub(crate) struct Tables {
    snapshot: Arc<Snapshot>,
    sealed: Arc<Sealed>,
}

impl Tables {
    /// Scans of this generation, under these keys.
    pub(crate) fn new(snapshot: Arc<Snapshot>, sealed: Arc<Sealed>) -> Self {
        Self { snapshot, sealed }
    }

    /// The generation.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Contacts of each shard; an empty dataset has one shard without contacts.
    pub(crate) fn shards(&self) -> Arc<Shards> {
        let shards = self.snapshot.shards().iter().zip(0..);
        Shards::new(shards.map(|(shard, number)| (shard.contacts, self.snapshot.forgotten(number))))
    }

    /// The contact field that a column belongs to.
    pub(crate) fn contact_field_of_column(&self, column: &str) -> Option<&Field> {
        let fields = &self.snapshot.schema().contact;
        fields.iter().find(|field| {
            field.name == column
                || known_column(&field.name) == column
                || hyperseg_storage::layout::columns_of(field).iter().any(|stored| stored.name() == column)
        })
    }

    /// The contact fields of a class.
    pub(crate) fn contact_scan(&self, class: Class) -> Result<LogicalPlanBuilder> {
        let files = self.by_shard(|shard| self.snapshot.contact_files(class, shard).collect());
        let schema = contact_schema(self.snapshot.schema(), class);
        let source = Source { schema, shards: files, sealed: Arc::clone(&self.sealed), bytes: true };
        scan_of(&format!("contact_{}", class.name().replace('.', "_")), source)
    }

    /// The records of a kind, in the files of these classes.
    pub(crate) fn record_scan(&self, kind: &RecordKind, classes: &[Class]) -> Result<LogicalPlanBuilder> {
        let files = self.by_shard(|shard| self.snapshot.record_files(&kind.name, shard, classes).collect());
        let source = Source {
            schema: record_schema(kind),
            shards: files,
            sealed: Arc::clone(&self.sealed),
            bytes: false,
        };
        scan_of(&kind.name, source)
    }

    fn by_shard<'a>(
        &'a self,
        files: impl Fn(u32) -> Vec<&'a FileEntry> + 'a,
    ) -> Vec<Vec<crate::table::SealedFile>> {
        // An empty dataset has one shard without contacts.
        let shards = u32::try_from(self.snapshot.shards().len().max(1)).unwrap_or(u32::MAX);
        consecutive((0..shards).map(files))
    }
}
