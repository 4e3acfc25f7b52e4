//! Adding fields and categories to the schema of a dataset.
//!
//! In: additions. Out: a generation whose schema has them. No file is written anew: a file of before has no such column,
//! and whoever reads it finds the value missing in all of its rows. Files that are written from then on have it, and so
//! has what `compact` makes of the old ones.

use hyperseg_dsl::schema::SchemaAdditions;
use serde::Serialize;
use serde_json::json;

use crate::audit::IntentBody;
use crate::dataset::Dataset;
use crate::error::Result;

/// What became of additions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Extension {
    /// Whether a new generation was made; not when all of it was there already.
    pub changed: bool,
    /// Generation that has them.
    pub generation: u64,
}

impl Dataset {
    /// Adds fields of contacts and records, and categories, to the schema.
    ///
    /// # Errors
    /// An addition cannot be made ([`hyperseg_dsl::schema::Schema::extended`]), or another writer is at work.
    pub fn extend_schema(
        &self,
        additions: &SchemaAdditions,
        on_behalf_of: Option<String>,
    ) -> Result<Extension> {
        // What cannot be is told before anything is recorded.
        self.snapshot()?.schema().extended(additions)?;
        let details = serde_json::to_value(additions).unwrap_or_default();
        let body = IntentBody { on_behalf_of, details, ..IntentBody::new("fields add") };
        let intent = self.audit()?.intent(body)?;
        let transaction = self.begin()?;
        let next = transaction.base().schema().extended(additions)?;
        let changed = next != *transaction.base().schema();
        let generation = if changed {
            transaction.set_schema(next);
            transaction.commit(&intent)?.generation()
        } else {
            transaction.base().generation()
        };
        intent.complete(json!({ "changed": changed, "generation": generation }))?;
        Ok(Extension { changed, generation })
    }
}
