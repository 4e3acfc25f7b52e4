//! The tables of one generation, as scans under the keys of one query.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::LogicalPlanBuilder;
use hyperseg_dsl::schema::{Class, Field, RecordKind};
use hyperseg_storage::layout::{contact_schema, history_schema, known_column, record_schema};
use hyperseg_storage::{FileEntry, Snapshot};

use crate::sets::Shards;
use crate::table::{
    DateOfContact, Entries, Sealed, SealedFile, Source, consecutive, scan_of, storage, with_columns,
};

/// Makes scans of one generation.
pub(crate) struct Tables {
    snapshot: Arc<Snapshot>,
    sealed: Arc<Sealed>,
    entries: Arc<Entries>,
}

impl Tables {
    /// Scans of this generation, under these keys; its files are known by these entries.
    pub(crate) fn new(snapshot: Arc<Snapshot>, sealed: Arc<Sealed>, entries: Arc<Entries>) -> Self {
        Self { snapshot, sealed, entries }
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

    /// The contact fields of a class, and beside them these dates of other classes.
    pub(crate) fn contact_scan(&self, class: Class, dates: &[&str]) -> Result<LogicalPlanBuilder> {
        let files = self.by_shard(|shard| self.snapshot.contact_files(class, shard))?;
        let schema = contact_schema(self.snapshot.schema(), class);
        let source = self.with_dates(
            files,
            schema,
            true,
            dates.iter().copied().filter(|date| {
                self.snapshot.schema().contact_field(date).is_some_and(|field| field.class != class)
            }),
        )?;
        scan_of(&format!("contact_{}", class.name().replace('.', "_")), source)
    }

    /// The records of a kind, in the files of these classes, and beside each these dates of its contact.
    pub(crate) fn record_scan(
        &self,
        kind: &RecordKind,
        classes: &[Class],
        dates: &[&str],
    ) -> Result<LogicalPlanBuilder> {
        let files = self.by_shard(|shard| self.snapshot.record_files(&kind.name, shard, classes))?;
        let source = self.with_dates(files, record_schema(kind), false, dates.iter().copied())?;
        scan_of(&kind.name, source)
    }

    /// What contact fields of a class said before, in the order of the imports that changed them.
    pub(crate) fn history_scan(&self, class: Class) -> Result<LogicalPlanBuilder> {
        let source = Source {
            schema: history_schema(),
            shards: self.by_shard(|shard| self.snapshot.history_files(class, shard))?,
            sealed: Arc::clone(&self.sealed),
            bytes: false,
            dates: Vec::new(),
        };
        scan_of(&format!("history_{}", class.name().replace('.', "_")), source)
    }

    fn with_dates<'d>(
        &self,
        shards: Vec<Vec<SealedFile>>,
        schema: SchemaRef,
        bytes: bool,
        dates: impl Iterator<Item = &'d str>,
    ) -> Result<Source> {
        let mut names: Vec<&str> = dates.collect();
        names.sort_unstable();
        names.dedup();
        let mut dates = Vec::with_capacity(names.len());
        for name in names {
            let field = self.snapshot.schema().contact_field(name);
            let class = field.ok_or_else(|| internal_datafusion_err!("no contact field {name}"))?.class;
            let source = Source {
                schema: contact_schema(self.snapshot.schema(), class),
                shards: self.by_shard(|shard| self.snapshot.contact_files(class, shard))?,
                sealed: Arc::clone(&self.sealed),
                bytes: true,
                dates: Vec::new(),
            };
            dates.push(DateOfContact::new(name, source)?);
        }
        let schema = if dates.is_empty() { schema } else { with_columns(&schema, &dates) };
        Ok(Source { schema, shards, sealed: Arc::clone(&self.sealed), bytes, dates })
    }

    fn by_shard<'a, I: Iterator<Item = &'a FileEntry>>(
        &'a self,
        files: impl Fn(u32) -> Result<I, hyperseg_storage::Error>,
    ) -> Result<Vec<Vec<SealedFile>>> {
        // An empty dataset has one shard without contacts.
        let shards = u32::try_from(self.snapshot.shards().len().max(1)).unwrap_or(u32::MAX);
        let files = (0..shards).map(|shard| Ok(files(shard).map_err(storage)?.collect()));
        Ok(consecutive(files.collect::<Result<Vec<_>>>()?.into_iter(), &self.entries))
    }
}
