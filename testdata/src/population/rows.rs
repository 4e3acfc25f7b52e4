//! Column builders shaped by the schema, one table per record kind and one for contacts.
//!
//! In: cells by field name. Out: Arrow batches in the logical form that `import population` reads: one column per
//! field, missing where no cell was given. Can never happen: a column that is not in the schema; a wrong name or type
//! is remembered as a fault, which fails the whole generation.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder, RecordBatch,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use hyperseg_dsl::schema::{self, FieldType, Schema};

use super::kinds::Kind;

/// Precision and scale of money columns.
const MONEY: (u8, i8) = (18, 2);

/// Builder of one column.
enum Column {
    Text(StringBuilder),
    Int(Int32Builder),
    Number(Float64Builder),
    Money(Decimal128Builder),
    Bool(BooleanBuilder),
    Day(Date32Builder),
    Instant(TimestampMicrosecondBuilder),
}

impl Column {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int32 => Self::Int(Int32Builder::new()),
            DataType::Float64 => Self::Number(Float64Builder::new()),
            DataType::Decimal128(..) => {
                Self::Money(Decimal128Builder::new().with_data_type(DataType::Decimal128(MONEY.0, MONEY.1)))
            }
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Date32 => Self::Day(Date32Builder::new()),
            DataType::Timestamp(..) => {
                Self::Instant(TimestampMicrosecondBuilder::new().with_data_type(instant_type()))
            }
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder as _;
        match self {
            Self::Text(builder) => builder.len(),
            Self::Int(builder) => builder.len(),
            Self::Number(builder) => builder.len(),
            Self::Money(builder) => builder.len(),
            Self::Bool(builder) => builder.len(),
            Self::Day(builder) => builder.len(),
            Self::Instant(builder) => builder.len(),
        }
    }

    fn append_missing(&mut self) {
        match self {
            Self::Text(builder) => builder.append_null(),
            Self::Int(builder) => builder.append_null(),
            Self::Number(builder) => builder.append_null(),
            Self::Money(builder) => builder.append_null(),
            Self::Bool(builder) => builder.append_null(),
            Self::Day(builder) => builder.append_null(),
            Self::Instant(builder) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Number(builder) => Arc::new(builder.finish()),
            Self::Money(builder) => Arc::new(builder.finish()),
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Day(builder) => Arc::new(builder.finish()),
            Self::Instant(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Rows under construction. [`Table::begin`] opens a row and closes the one before.
pub(super) struct Table {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    /// First cell that did not fit the schema.
    fault: Option<&'static str>,
}

impl Table {
    fn new(schema: SchemaRef) -> Self {
        let columns = schema.fields().iter().map(|field| Column::new(field.data_type())).collect();
        Self { schema, columns, rows: 0, fault: None }
    }

    /// Opens a row.
    pub(super) fn begin(&mut self) -> &mut Self {
        self.close();
        self.rows += 1;
        self
    }

    /// Text, a category or a code.
    pub(super) fn text(&mut self, name: &'static str, value: &str) -> &mut Self {
        match self.open(name) {
            Some(Column::Text(builder)) => builder.append_value(value),
            _ => self.blame(name),
        }
        self
    }

    /// Text that is put together on the spot.
    pub(super) fn write(&mut self, name: &'static str, value: std::fmt::Arguments<'_>) -> &mut Self {
        match self.open(name) {
            Some(Column::Text(builder)) => {
                // A string builder takes any text.
                let _ = builder.write_fmt(value);
                builder.append_value("");
            }
            _ => self.blame(name),
        }
        self
    }

    /// A whole number.
    pub(super) fn int(&mut self, name: &'static str, value: i32) -> &mut Self {
        match self.open(name) {
            Some(Column::Int(builder)) => builder.append_value(value),
            _ => self.blame(name),
        }
        self
    }

    /// A number.
    pub(super) fn number(&mut self, name: &'static str, value: f64) -> &mut Self {
        match self.open(name) {
            Some(Column::Number(builder)) => builder.append_value(value),
            _ => self.blame(name),
        }
        self
    }

    /// Money in hundredths.
    pub(super) fn money(&mut self, name: &'static str, cents: i64) -> &mut Self {
        match self.open(name) {
            Some(Column::Money(builder)) => builder.append_value(cents.into()),
            _ => self.blame(name),
        }
        self
    }

    /// A truth value.
    pub(super) fn flag(&mut self, name: &'static str, value: bool) -> &mut Self {
        match self.open(name) {
            Some(Column::Bool(builder)) => builder.append_value(value),
            _ => self.blame(name),
        }
        self
    }

    /// A day, in days since 1970-01-01.
    pub(super) fn day(&mut self, name: &'static str, value: i32) -> &mut Self {
        match self.open(name) {
            Some(Column::Day(builder)) => builder.append_value(value),
            _ => self.blame(name),
        }
        self
    }

    /// An instant, in microseconds since 1970-01-01T00:00Z.
    pub(super) fn instant(&mut self, name: &'static str, value: i64) -> &mut Self {
        match self.open(name) {
            Some(Column::Instant(builder)) => builder.append_value(value),
            _ => self.blame(name),
        }
        self
    }

    /// The column of this name when the open row has no cell in it yet.
    fn open(&mut self, name: &str) -> Option<&mut Column> {
        let place = self.schema.fields().iter().position(|field| field.name() == name)?;
        let rows = self.rows;
        self.columns.get_mut(place).filter(|column| column.len() + 1 == rows)
    }

    fn blame(&mut self, name: &'static str) {
        self.fault.get_or_insert(name);
    }

    fn close(&mut self) {
        let rows = self.rows;
        self.columns.iter_mut().filter(|column| column.len() < rows).for_each(Column::append_missing);
    }

    /// The rows so far as a batch, or the field that did not fit.
    fn finish(&mut self) -> Result<Batch, Fault> {
        self.close();
        if let Some(field) = self.fault {
            return Err(Fault::Cell(field));
        }
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        self.rows = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(Fault::Arrow)
    }
}

type Batch = RecordBatch;

/// Why rows did not become a batch.
pub(super) enum Fault {
    /// A cell without a column, of another type, or given twice in one row.
    Cell(&'static str),
    /// Arrow refused the columns.
    Arrow(ArrowError),
}

/// The tables of one range of contacts.
pub(super) struct Tables {
    /// Contacts.
    pub(super) contacts: Table,
    records: Vec<Table>,
    /// Takes cells for a kind without a table, which only a kind missing from the schema could have.
    nowhere: Table,
}

impl Tables {
    /// Empty tables.
    pub(super) fn new(shapes: &Shapes) -> Self {
        Self {
            contacts: Table::new(Arc::clone(&shapes.contacts)),
            records: shapes.records.iter().map(|schema| Table::new(Arc::clone(schema))).collect(),
            nowhere: Table::new(Arc::new(ArrowSchema::empty())),
        }
    }

    /// The table of a kind.
    pub(super) fn kind(&mut self, kind: Kind) -> &mut Table {
        self.records.get_mut(kind as usize).unwrap_or(&mut self.nowhere)
    }

    /// One batch per table: contacts, then the kinds in order.
    pub(super) fn finish(mut self) -> Result<Vec<RecordBatch>, Fault> {
        if let Some(field) = self.nowhere.fault {
            return Err(Fault::Cell(field));
        }
        let mut batches = vec![self.contacts.finish()?];
        for table in &mut self.records {
            batches.push(table.finish()?);
        }
        Ok(batches)
    }
}

/// Arrow schemas of the files.
pub(super) struct Shapes {
    /// Contacts.
    pub(super) contacts: SchemaRef,
    /// Record kinds in the order of [`Kind::ALL`].
    pub(super) records: Vec<SchemaRef>,
}

impl Shapes {
    /// The shapes that follow from the schema.
    pub(super) fn new(schema: &Schema) -> Self {
        let contacts = Arc::new(ArrowSchema::new(columns(&schema.contact, false)));
        let records = Kind::ALL
            .iter()
            .map(|kind| {
                let mut fields = vec![Field::new("contact_id", DataType::Utf8, false)];
                let known = schema.record(kind.name());
                fields.extend(columns(known.map_or(&[], |found| &found.fields), kind.day_only()));
                Arc::new(ArrowSchema::new(fields))
            })
            .collect();
        Self { contacts, records }
    }
}

fn columns(fields: &[schema::Field], day_only: bool) -> Vec<Field> {
    let mut columns = Vec::with_capacity(fields.len() + 1);
    for field in fields {
        let name = field.name.as_str();
        let mut add = |name: &str, ty| columns.push(Field::new(name, ty, true));
        match field.ty {
            FieldType::Text | FieldType::Category | FieldType::Code | FieldType::Categories => {
                add(name, DataType::Utf8);
            }
            FieldType::Int => add(name, DataType::Int32),
            FieldType::Number => add(name, DataType::Float64),
            FieldType::Money => add(name, DataType::Decimal128(MONEY.0, MONEY.1)),
            FieldType::Bool => add(name, DataType::Boolean),
            FieldType::Date => add(name, DataType::Date32),
            // When something was recorded is known to the second even where the thing itself is known to the day.
            FieldType::Time if day_only && name != "recorded_at" => add(name, DataType::Date32),
            FieldType::Time => add(name, instant_type()),
            FieldType::Point => {
                add(&format!("{name}_lat"), DataType::Float64);
                add(&format!("{name}_lon"), DataType::Float64);
            }
        }
    }
    columns
}

fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}
