//! CSV after RFC 4180, safe to open in a spreadsheet.

use std::borrow::Cow;
use std::io::{self, Write};

use arrow::array::StringArray;
use arrow::datatypes::Schema;

use super::text_at;

/// What makes a spreadsheet take a cell for a formula.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// One cell: quoted where RFC 4180 asks for it; an apostrophe in front of what a spreadsheet would calculate.
pub fn cell(text: &str) -> String {
    let guarded: Cow<'_, str> =
        if text.starts_with(FORMULA_STARTS) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) };
    if guarded.contains(['"', ',', '\r', '\n']) || guarded.starts_with(' ') || guarded.ends_with(' ') {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded.into_owned()
    }
}

pub(super) fn header(out: &mut impl Write, schema: &Schema) -> io::Result<()> {
    let names: Vec<String> = schema.fields().iter().map(|field| cell(field.name())).collect();
    out.write_all(names.join(",").as_bytes())?;
    out.write_all(b"\r\n")
}

pub(super) fn rows(out: &mut impl Write, columns: &[&StringArray]) -> io::Result<()> {
    let rows = columns.first().map_or(0, |column| arrow::array::Array::len(*column));
    for row in 0..rows {
        let cells: Vec<String> =
            columns.iter().map(|column| text_at(column, row).map(cell).unwrap_or_default()).collect();
        out.write_all(cells.join(",").as_bytes())?;
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(cell("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(cell("+1 617 555 0100"), "'+1 617 555 0100");
        assert_eq!(cell("\t=1"), "'\t=1");
        assert_eq!(cell("=1,2"), "\"'=1,2\"");
        assert_eq!(cell(""), "");
    }
}
