//! One JSON object per line, columns in the order of the list, missing values null.

use std::io::{self, Write};

use arrow::array::StringArray;
use arrow::datatypes::Schema;

use super::text_at;

pub(super) fn rows(out: &mut impl Write, schema: &Schema, columns: &[&StringArray]) -> io::Result<()> {
    let names: Vec<String> =
        schema.fields().iter().map(|field| string(field.name())).collect::<io::Result<_>>()?;
    let rows = columns.first().map_or(0, |column| arrow::array::Array::len(*column));
    for row in 0..rows {
        let mut line = String::from("{");
        for (place, (name, column)) in names.iter().zip(columns).enumerate() {
            if place > 0 {
                line.push(',');
            }
            line.push_str(name);
            line.push(':');
            match text_at(column, row) {
                Some(text) => line.push_str(&string(text)?),
                None => line.push_str("null"),
            }
        }
        line.push_str("}\n");
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn string(text: &str) -> io::Result<String> {
    serde_json::to_string(text).map_err(io::Error::from)
}
