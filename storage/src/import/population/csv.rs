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

/// Reads a file in chunks, parses them in parallel, and hands them over: contacts in the file's order.
pub(super) fn import(ingest: &mut Ingest, table: &TableFile) -> Result<()> {
    let number = ingest.rejects().file(&table.file.name);
    let mut file = CsvFile::open(&table.file, number)?;
    let fields = table.fields(ingest.schema());
    let places = table.map(&fields, file.header(), ingest.options())?;
    let header: Vec<Arc<str>> = file.header().iter().map(|name| name.as_str().into()).collect();
    let builders = Pool::new();
    loop {
        let mut chunks = Vec::with_capacity(CHUNKS_AT_ONCE);
        while chunks.len() < CHUNKS_AT_ONCE
            && let Some(chunk) = file.next_chunk()?
        {
            chunks.push(chunk);
        }
        if chunks.is_empty() {
            return Ok(());
        }
        let parsed: Vec<(Option<Rows>, Vec<Refused>)> = chunks
            .into_par_iter()
            .map(|chunk| {
                builders.with(|| builder(&fields), |builder| parse(builder, &chunk, &header, &places))
            })
            .collect();
        match &table.kind {
            None => {
                for (rows, refused) in parsed {
                    ingest.refuse(table.table(), refused)?;
                    rows.map_or(Ok(()), |rows| ingest.contact_rows(rows))?;
                }
            }
            Some(kind) => {
                let shared: &Ingest = ingest;
                parsed.into_par_iter().try_for_each(|(rows, refused)| {
                    shared.refuse(kind, refused)?;
                    rows.map_or(Ok(()), |rows| shared.record_rows(kind, rows))
                })?;
            }
        }
    }
}

fn builder(fields: &[Field]) -> Builder {
    Builder::of_fields(fields)
}

fn parse(
    builder: &mut Builder,
    chunk: &Chunk,
    header: &[Arc<str>],
    places: &[Option<usize>],
) -> (Option<Rows>, Vec<Refused>) {
    let mut refused = chunk.each(header, |origin, cells| {
        builder.cells(origin, |field| cells.get(places.get(field).copied().flatten()));
    });
    let (rows, more) = builder.take();
    refused.extend(more);
    (rows, refused)
}
