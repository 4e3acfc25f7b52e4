//! Population tables as CSV.

use std::sync::Arc;

use hyperseg_dsl::schema::Field;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{Pool, TableFile};
use crate::error::Result;
use crate::import::csv_file::{Chunk, CsvFile};
use crate::ingest::Ingest;
use crate::rows::{Builder, Refused, Rows};

/// Chunks parsed at once.
const CHUNKS_AT_ONCE: usize = 8;

/// Hands over the contacts in the file's order.
pub(super) fn import_contacts(ingest: &mut Ingest, table: &TableFile) -> Result<()> {
    let mut reader = Reader::open(ingest, table)?;
    ingest.contacts_say(super::said(&reader.fields, &reader.places));
    while let Some(parsed) = reader.next()? {
        for (rows, refused) in parsed {
            ingest.refuse(table.table(), refused)?;
            rows.map_or(Ok(()), |rows| ingest.contact_rows(rows))?;
        }
    }
    Ok(())
}

/// Hands over the records of a file.
pub(super) fn import_records(ingest: &Ingest, table: &TableFile) -> Result<()> {
    let mut reader = Reader::open(ingest, table)?;
    while let Some(parsed) = reader.next()? {
        parsed.into_par_iter().try_for_each(|(rows, refused)| {
            ingest.refuse(table.table(), refused)?;
            rows.map_or(Ok(()), |rows| ingest.record_rows(table.table(), rows))
        })?;
    }
    Ok(())
}

type Parsed = (Option<Rows>, Vec<Refused>);

/// Reads a file in chunks and parses some of them at once.
struct Reader {
    file: CsvFile,
    fields: Vec<Field>,
    places: Vec<Option<usize>>,
    header: Vec<Arc<str>>,
    builders: Pool<Builder>,
}

impl Reader {
    fn open(ingest: &Ingest, table: &TableFile) -> Result<Self> {
        let file = CsvFile::open(&table.file, ingest.rejects().file(&table.file.name))?;
        let fields = table.fields(ingest.schema());
        let places = table.map(&fields, file.header(), ingest.options())?;
        let header = file.header().iter().map(|name| name.as_str().into()).collect();
        Ok(Self { file, fields, places, header, builders: Pool::new() })
    }

    /// The next chunks in the file's order; `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<Parsed>>> {
        let mut chunks = Vec::with_capacity(CHUNKS_AT_ONCE);
        while chunks.len() < CHUNKS_AT_ONCE
            && let Some(chunk) = self.file.next_chunk()?
        {
            chunks.push(chunk);
        }
        let (fields, places, header) = (&self.fields, &self.places, &self.header);
        let parsed = chunks.into_par_iter().map(|chunk| {
            self.builders
                .with(|| Builder::of_fields(fields), |builder| parse(builder, &chunk, header, places))
        });
        let parsed: Vec<Parsed> = parsed.collect();
        Ok((!parsed.is_empty()).then_some(parsed))
    }
}

fn parse(builder: &mut Builder, chunk: &Chunk, header: &[Arc<str>], places: &[Option<usize>]) -> Parsed {
    let mut refused = chunk.each(header, |origin, cells| {
        builder.cells(origin, |field| cells.get(places.get(field).copied().flatten()));
    });
    let (rows, more) = builder.take();
    refused.extend(more);
    (rows, refused)
}
