//! Files of recipients: batches of text columns go in; CSV, NDJSON or Parquet comes out, whole or not at all.

mod csv;
mod draft;
mod folder;
mod ndjson;
mod parquet;

use std::io::{self, Write};

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use sha2::{Digest, Sha256};

pub use csv::cell;
pub use draft::{Draft, refuse_existing, replace};
pub use folder::Folder;

use crate::failure::{Exit, Failure, Outcome};
use crate::output::Format;

/// Writes one list in one format and digests the bytes on their way.
pub struct ListWriter<W: Write + Send> {
    form: Form<Digesting<W>>,
    rows: u64,
}

enum Form<W: Write + Send> {
    Csv(W),
    Ndjson(W),
    Parquet(Box<parquet::Writer<W>>),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows, without the header.
    pub rows: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
}

impl<W: Write + Send> ListWriter<W> {
    /// Starts a list with these columns, all of them text.
    pub fn new(format: Format, schema: &SchemaRef, out: W) -> Outcome<Self> {
        let mut out = Digesting { inner: out, digest: Sha256::new() };
        let form = match format {
            Format::Csv => {
                csv::header(&mut out, schema).map_err(|error| not_written(&error))?;
                Form::Csv(out)
            }
            Format::Ndjson => Form::Ndjson(out),
            Format::Parquet => Form::Parquet(Box::new(parquet::Writer::new(schema, out)?)),
            Format::Table | Format::Json | Format::Sarif => {
                return Err(Failure::usage(format!(
                    "a list cannot be written as {}; --format takes csv, ndjson or parquet",
                    format.name()
                )));
            }
        };
        Ok(Self { form, rows: 0 })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Outcome<()> {
        match &mut self.form {
            Form::Csv(out) => csv::rows(out, &texts(batch)?).map_err(|error| not_written(&error))?,
            Form::Ndjson(out) => {
                ndjson::rows(out, &batch.schema(), &texts(batch)?).map_err(|error| not_written(&error))?;
            }
            Form::Parquet(writer) => writer.write(batch)?,
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Ends the list and gives the output back.
    pub fn finish(self) -> Outcome<(W, Written)> {
        let mut out = match self.form {
            Form::Csv(out) | Form::Ndjson(out) => out,
            Form::Parquet(writer) => writer.finish()?,
        };
        out.flush().map_err(|error| not_written(&error))?;
        let sha256 = out.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((out.inner, Written { rows: self.rows, sha256 }))
    }
}

/// The columns of a batch as text; the engine renders every value before it leaves.
fn texts(batch: &RecordBatch) -> Outcome<Vec<&StringArray>> {
    let columns: Option<Vec<_>> =
        batch.columns().iter().map(|column| column.as_string_opt::<i32>()).collect();
    columns.ok_or_else(|| Failure::new(Exit::Runtime, "the engine gave a column that is not text"))
}

/// One cell; `None` is missing.
fn text_at(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn not_written(error: &io::Error) -> Failure {
    Failure::new(Exit::Runtime, format!("cannot write the list: {}", crate::failure::reason(error)))
}

struct Digesting<W> {
    inner: W,
    digest: Sha256,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn batch() -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("contact_id", DataType::Utf8, false),
            Field::new("email", DataType::Utf8, true),
        ]);
        let ids = StringArray::from(vec!["a", "b", "c"]);
        let mails = StringArray::from(vec![Some("=1+1"), None, Some("x \"y\", z")]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(mails)]).unwrap()
    }

    fn list(format: Format) -> (Vec<u8>, Written) {
        let batch = batch();
        let mut writer = ListWriter::new(format, &batch.schema(), Vec::new()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn csv_quotes_and_guards() {
        let (bytes, written) = list(Format::Csv);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, "contact_id,email\r\na,'=1+1\r\nb,\r\nc,\"x \"\"y\"\", z\"\r\n");
        assert_eq!(written.rows, 3);
        assert_eq!(written.sha256.len(), 64);
    }

    #[test]
    fn ndjson_keeps_the_order_of_columns() {
        let (bytes, _) = list(Format::Ndjson);
        let text = String::from_utf8(bytes).unwrap();
        let first = text.lines().next().unwrap();
        assert_eq!(first, r#"{"contact_id":"a","email":"=1+1"}"#);
        assert!(text.contains(r#"{"contact_id":"b","email":null}"#));
    }

    #[test]
    fn parquet_has_its_magic_and_refuses_tables() {
        let (bytes, _) = list(Format::Parquet);
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
        let Err(failure) = ListWriter::new(Format::Table, &batch().schema(), Vec::new()) else {
            panic!("a list as a table");
        };
        assert_eq!(failure.exit, Exit::Usage);
    }
}
