//! CSV after RFC 4180, safe to open in a spreadsheet.

use std::borrow::Cow;
use std::io::{self, Write};

use arrow::array::StringArray;
use arrow::datatypes::Schema;

use super::text_at;

/// What makes a spreadsheet take a cell for a formula.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// One cell: quoted where RFC 4180 asks for it; an apostrophe in front of what a spreadsheet would calculate. Numbers
/// and telephone numbers stay as they are: they are addresses, and cannot do harm.
pub fn cell(text: &str) -> String {
    let guarded: Cow<'_, str> = if text.starts_with(FORMULA_STARTS) && !is_number(text) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    };
    if guarded.contains(['"', ',', '\r', '\n']) || guarded.starts_with(' ') || guarded.ends_with(' ') {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded.into_owned()
    }
}

/// A number or a telephone number: digits, at least one, with a sign in front and what groups them.
fn is_number(text: &str) -> bool {
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    rest.contains(|c: char| c.is_ascii_digit())
        && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '.' | '-' | '(' | ')'))
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
        for number in ["+1-617-555-0100", "+1 (617) 555.0100", "-12.5", "+16175550100", "-1"] {
            assert_eq!(cell(number), number);
        }
        for formula in ["+1+2", "-1*2", "+A1", "-cmd|' /C calc'!A0", "=1", "+1\t2", "@1", "-", "++1", "=-1"] {
            assert_eq!(cell(formula), format!("'{formula}"));
        }
        assert_eq!(cell("\t=1"), "'\t=1");
        assert_eq!(cell("=1,2"), "\"'=1,2\"");
        assert_eq!(cell(""), "");
    }
}
