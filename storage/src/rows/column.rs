//! One storage column in the making, fed with text or typed values.
//!
//! In: cells of one flat column (a point is two of them). Out: an Arrow array in the encoding of [`crate::layout`].
//! A cell that does not fit is appended as missing and reported, so that columns never get out of step.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int16Builder, Int32Builder, Int64Builder, ListBuilder,
    StringBuilder,
};
use arrow::datatypes::{DataType, Field as ArrowField};
use chrono::NaiveDate;
use hyperseg_dsl::schema::{Field, FieldType};
use hyperseg_dsl::value::{Day, Value, When, pack_date, pack_partial, pack_time};

use crate::ingest::Reason;

/// Distinct texts remembered per column; past that, texts are parsed anew.
const CACHE_MAX: usize = 1 << 16;

/// A field as the flat columns see it: a point is two numbers.
pub(crate) fn flat_fields<'f>(fields: impl IntoIterator<Item = &'f Field>) -> Vec<Field> {
    let mut flat = Vec::new();
    for field in fields {
        match field.ty {
            FieldType::Point => flat.extend(["lat", "lon"].map(|axis| Field {
                name: format!("{}_{axis}", field.name),
                ty: FieldType::Number,
                class: field.class,
                categories: Vec::new(),
            })),
            FieldType::Text
            | FieldType::Category
            | FieldType::Int
            | FieldType::Number
            | FieldType::Money
            | FieldType::Bool
            | FieldType::Date
            | FieldType::Time
            | FieldType::Code
            | FieldType::Categories => flat.push(field.clone()),
        }
    }
    flat
}

/// Why text of this type does not parse.
pub(crate) const fn reason(ty: FieldType) -> Reason {
    match ty {
        FieldType::Text => Reason::BadText,
        FieldType::Category | FieldType::Categories => Reason::UnknownCategory,
        FieldType::Int => Reason::BadInt,
        FieldType::Number | FieldType::Point => Reason::BadNumber,
        FieldType::Money => Reason::BadMoney,
        FieldType::Bool => Reason::BadBool,
        FieldType::Date => Reason::BadDate,
        FieldType::Time => Reason::BadTime,
        FieldType::Code => Reason::BadCode,
    }
}

enum Data {
    Text(StringBuilder),
    Category(Int16Builder),
    Int(Int32Builder),
    Number(Float64Builder),
    Money(Int64Builder),
    Bool(BooleanBuilder),
    Date(Int32Builder),
    Time(Int64Builder),
    Code(StringBuilder),
    Categories(ListBuilder<Int16Builder>),
}

/// Encoder of one flat column.
pub(crate) struct ColumnEncoder {
    field: Field,
    /// For messages.
    name: Arc<str>,
    /// ASCII text is stored as it comes: it is in NFC by nature.
    plain: bool,
    data: Data,
    /// Category in any spelling met → number.
    categories: HashMap<Box<str>, i16>,
    /// Code as written → normal form.
    codes: HashMap<Box<str>, Box<str>>,
}

impl ColumnEncoder {
    /// Encoder of a flat field (not a point).
    pub(crate) fn new(field: &Field) -> Self {
        let element = ArrowField::new("element", DataType::Int16, false);
        let data = match field.ty {
            FieldType::Text => Data::Text(StringBuilder::new()),
            FieldType::Category => Data::Category(Int16Builder::new()),
            FieldType::Int => Data::Int(Int32Builder::new()),
            FieldType::Number | FieldType::Point => Data::Number(Float64Builder::new()),
            FieldType::Money => Data::Money(Int64Builder::new()),
            FieldType::Bool => Data::Bool(BooleanBuilder::new()),
            FieldType::Date => Data::Date(Int32Builder::new()),
            FieldType::Time => Data::Time(Int64Builder::new()),
            FieldType::Code => Data::Code(StringBuilder::new()),
            FieldType::Categories => {
                Data::Categories(ListBuilder::new(Int16Builder::new()).with_field(element))
            }
        };
        let categories = field
            .categories
            .iter()
            .enumerate()
            .filter_map(|(number, text)| Some((text.as_str().into(), i16::try_from(number).ok()?)))
            .collect();
        Self {
            name: field.name.as_str().into(),
            plain: !has_form(field),
            field: field.clone(),
            data,
            categories,
            codes: HashMap::new(),
        }
    }

    /// Name of the column.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The field.
    pub(crate) fn field(&self) -> &Field {
        &self.field
    }

    /// Appends a missing value.
    pub(crate) fn missing(&mut self) {
        match &mut self.data {
            Data::Text(column) | Data::Code(column) => column.append_null(),
            Data::Category(column) => column.append_null(),
            Data::Int(column) | Data::Date(column) => column.append_null(),
            Data::Number(column) => column.append_null(),
            Data::Money(column) | Data::Time(column) => column.append_null(),
            Data::Bool(column) => column.append_null(),
            Data::Categories(column) => column.append_null(),
        }
    }

    /// Appends a cell as sources write it; empty is missing.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Reason> {
        if text.is_empty() {
            self.missing();
            return Ok(());
        }
        match &mut self.data {
            Data::Text(column) if self.plain && text.is_ascii() => {
                column.append_value(text);
                return Ok(());
            }
            Data::Category(column) => {
                if let Some(number) = self.categories.get(text) {
                    column.append_value(*number);
                    return Ok(());
                }
            }
            Data::Date(column) => {
                if let Some(day) = iso_day(text.as_bytes()) {
                    column.append_value(pack_date(day));
                    return Ok(());
                }
            }
            Data::Time(column) => {
                if let Some(when) = iso_when(text.as_bytes()) {
                    column.append_value(pack_time(when));
                    return Ok(());
                }
            }
            Data::Code(column) => {
                if let Some(code) = self.codes.get(text) {
                    column.append_value(code);
                    return Ok(());
                }
            }
            Data::Text(_)
            | Data::Int(_)
            | Data::Number(_)
            | Data::Money(_)
            | Data::Bool(_)
            | Data::Categories(_) => {}
        }
        self.parsed(text)
    }

    /// The slow way, by the schema's own parser; remembers what it can.
    fn parsed(&mut self, text: &str) -> Result<(), Reason> {
        let Ok(value) = self.field.parse(text) else {
            self.missing();
            return Err(reason(self.field.ty));
        };
        self.value(&value)?;
        match value {
            Value::Code(code) if self.codes.len() < CACHE_MAX => {
                self.codes.insert(text.into(), code.to_string().into());
            }
            Value::Category(canonical) if self.categories.len() < CACHE_MAX => {
                if let Some(number) = self.categories.get(canonical.as_str()).copied() {
                    self.categories.insert(text.into(), number);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Appends a typed value; one of another type, or out of range, is reported and missing.
    pub(crate) fn value(&mut self, value: &Value) -> Result<(), Reason> {
        if self.append(value) {
            return Ok(());
        }
        self.missing();
        Err(reason(self.field.ty))
    }

    fn append(&mut self, value: &Value) -> bool {
        match (&mut self.data, value) {
            (Data::Text(column), Value::Text(text)) if text.is_empty() => column.append_null(),
            (Data::Text(column), Value::Text(text)) => column.append_value(text),
            (Data::Category(column), Value::Category(text)) => {
                let Some(number) = self.categories.get(text.as_str()) else { return false };
                column.append_value(*number);
            }
            (Data::Int(column), Value::Int(number)) => {
                let Ok(number) = i32::try_from(*number) else { return false };
                column.append_value(number);
            }
            (Data::Number(column), Value::Number(number)) if number.is_finite() => {
                if !in_range(&self.field.name, *number) {
                    return false;
                }
                // One zero only, so that equal numbers are equal bytes.
                column.append_value(number + 0.0);
            }
            (Data::Money(column), Value::Money(cents)) => column.append_value(*cents),
            (Data::Bool(column), Value::Bool(truth)) => column.append_value(*truth),
            (Data::Date(column), Value::Date(day)) => column.append_value(pack_date(*day)),
            (Data::Date(column), Value::Partial(date)) => column.append_value(pack_partial(*date)),
            (Data::Time(column), Value::Time(when)) => {
                if !packable(*when) {
                    return false;
                }
                column.append_value(pack_time(*when));
            }
            (Data::Code(column), Value::Code(code)) => column.append_value(code.to_string()),
            (Data::Categories(column), Value::Categories(texts)) => {
                let numbers: Option<Vec<i16>> =
                    texts.iter().map(|text| self.categories.get(text.as_str()).copied()).collect();
                let Some(numbers) = numbers else { return false };
                if numbers.is_empty() {
                    column.append_null();
                } else {
                    column.values().append_slice(&numbers);
                    column.append(true);
                }
            }
            _ => return false,
        }
        true
    }

    /// The column so far; the encoder starts anew.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match &mut self.data {
            Data::Text(column) | Data::Code(column) => Arc::new(column.finish()),
            Data::Category(column) => Arc::new(column.finish()),
            Data::Int(column) | Data::Date(column) => Arc::new(column.finish()),
            Data::Number(column) => Arc::new(column.finish()),
            Data::Money(column) | Data::Time(column) => Arc::new(column.finish()),
            Data::Bool(column) => Arc::new(column.finish()),
            Data::Categories(column) => Arc::new(column.finish()),
        }
    }
}

/// Coordinates are degrees; other numbers have no limits.
pub(crate) fn in_range(column: &str, number: f64) -> bool {
    match column {
        "location_lat" => (-90.0..=90.0).contains(&number),
        "location_lon" => (-180.0..=180.0).contains(&number),
        _ => true,
    }
}

/// Microseconds that [`pack_time`] keeps exactly.
pub(crate) const PACKABLE_MICROS_MAX: i64 = i64::MAX / 4;

pub(crate) fn packable(when: When) -> bool {
    match when {
        When::Instant(micros) => micros.checked_mul(4).is_some(),
        When::Day(_) => true,
    }
}

/// Text fields that have a form of their own, so that their cells always go through the schema's parser.
pub(crate) fn has_form(field: &Field) -> bool {
    field.name == "zip"
}

/// `YYYY-MM-DD`, quickly; a date of which less is known goes the slow way.
pub(crate) fn iso_day(bytes: &[u8]) -> Option<Day> {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = bytes else { return None };
    let year = number(&[y0, y1, y2, y3])?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number(&[m0, m1])?, number(&[d0, d1])?)
}

/// `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`, quickly; other spellings go the slow way.
fn iso_when(bytes: &[u8]) -> Option<When> {
    if bytes.len() == 10 {
        return iso_day(bytes).map(When::Day);
    }
    let (day, time) = bytes.split_at_checked(10)?;
    let &[b'T', h0, h1, b':', m0, m1, b':', s0, s1, b'Z'] = time else { return None };
    let (hour, minute, second) = (number(&[h0, h1])?, number(&[m0, m1])?, number(&[s0, s1])?);
    let at = iso_day(day)?.and_hms_opt(hour, minute, second)?;
    Some(When::Instant(at.and_utc().timestamp_micros()))
}

fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use hyperseg_dsl::value::{parse_day, parse_when};

    use super::*;

    #[test]
    fn quick_dates_agree_with_the_schema() {
        for text in
            ["2024-02-29", "2023-02-29", "0001-01-01", "9999-12-31", "2024-13-01", "2024-1-01", "x024-01-01"]
        {
            assert_eq!(iso_day(text.as_bytes()), parse_day(text), "{text}");
        }
        for text in ["2024-02-29T23:59:59Z", "2024-02-29", "1969-12-31T00:00:00Z", "1800-01-01T12:30:00Z"] {
            assert_eq!(iso_when(text.as_bytes()), parse_when(text), "{text}");
        }
        for text in
            ["2024-02-29T24:00:00Z", "2024-02-29T23:59:60Z", "2024-02-29T23:59Z", "2024-02-29 23:59:59Z"]
        {
            assert_eq!(iso_when(text.as_bytes()), None, "{text}");
        }
    }
}
