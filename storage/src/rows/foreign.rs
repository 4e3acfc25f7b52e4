//! Whole Arrow columns of other files into the storage encoding, without a value per cell.
//!
//! In: a column of a Parquet file and the flat field it is for. Out: a storage column, and the rows whose value does
//! not fit. Texts and codes that repeat stay dictionaries when the caller can use them ([`ForeignColumn::repeating`]).
//! A column whose *type* cannot hold the field is an error for the whole file. Which types are taken:
//!
//! | field | Arrow types |
//! |---|---|
//! | text, category, categories, code | strings, plain or dictionary |
//! | int, number | integers, floats |
//! | money | decimals, integers |
//! | bool | boolean |
//! | date | Date32 (full dates; strings also months and years) |
//! | time | timestamps with a zone (instants), Date32 (days) |
//! | any | strings in the text form of the field; the null type |

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, DictionaryArray, PrimitiveArray, StringArray, UInt32Array,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{
    ArrowDictionaryKeyType, ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
};
use chrono::Datelike;
use hyperseg_dsl::schema::{Field, FieldType};
use hyperseg_dsl::value::{Day, When, day_from_epoch, pack_date, pack_time};

use super::CONTACT_ID;
use super::column::{ColumnEncoder, PACKABLE_MICROS_MAX, has_form, in_range, reason};
use crate::ingest::Reason;

/// The column's type cannot hold the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// Name of the type found.
    pub(crate) found: String,
}

/// A foreign column on its way to one flat field; keeps caches between batches.
pub(crate) struct ForeignColumn {
    encoder: ColumnEncoder,
    /// Distinct texts up to which a dictionary stays one, besides one text in [`ROWS_PER_TEXT`] rows.
    texts_max: usize,
}

/// Distinct texts of a batch up to which a dictionary is worth keeping.
const TEXTS_MAX: usize = 1 << 13;
const ROWS_PER_TEXT: usize = 8;

impl ForeignColumn {
    /// Columns in the types of the layout.
    pub(crate) fn new(field: &Field) -> Self {
        Self { encoder: ColumnEncoder::new(field), texts_max: 0 }
    }

    /// Columns in the types of the layout; texts and codes of which a batch has few stay dictionaries, and contact ids
    /// always do, since each is looked up.
    pub(crate) fn repeating(field: &Field) -> Self {
        let texts_max = match field.ty {
            FieldType::Text if field.name == CONTACT_ID => usize::MAX,
            FieldType::Text | FieldType::Code => TEXTS_MAX,
            FieldType::Category
            | FieldType::Int
            | FieldType::Number
            | FieldType::Money
            | FieldType::Bool
            | FieldType::Date
            | FieldType::Time
            | FieldType::Categories
            | FieldType::Point => 0,
        };
        Self { encoder: ColumnEncoder::new(field), texts_max }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        self.encoder.name()
    }

    /// The type under which a Parquet reader should deliver the column: dictionaries for what repeats, or lies in the
    /// file as one.
    pub(crate) fn hint(field: &Field, found: &DataType, dictionary: bool) -> DataType {
        let repeats = dictionary || matches!(field.ty, FieldType::Category | FieldType::Code);
        if repeats && *found == DataType::Utf8 {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        } else {
            found.clone()
        }
    }

    /// The storage column; `refuse` hears of each row whose value does not fit (the row's value is then missing).
    pub(crate) fn encode(
        &mut self,
        column: &ArrayRef,
        mut refuse: impl FnMut(usize, Reason),
    ) -> Result<ArrayRef, Unfit> {
        let ty = self.encoder.field().ty;
        let unfit = || Unfit { found: column.data_type().to_string() };
        match column.data_type() {
            DataType::Null => {
                (0..column.len()).for_each(|_| self.encoder.missing());
                return Ok(self.encoder.finish());
            }
            DataType::Dictionary(_, value) if value.is_string() => {
                return self.dictionary(column, &mut refuse).ok_or_else(unfit);
            }
            found if found.is_string() => {
                let texts = cast(column, &DataType::Utf8).ok_or_else(unfit)?;
                return Ok(self.texts(&texts, &mut refuse));
            }
            _ => {}
        }
        let column: Option<ArrayRef> = match ty {
            FieldType::Bool => (*column.data_type() == DataType::Boolean).then(|| Arc::clone(column)),
            FieldType::Int if column.data_type().is_integer() => widened::<Int64Type>(column).map(|wide| {
                let fit = |n: i64| i32::try_from(n).ok();
                Arc::new(map::<_, Int32Type>(&wide, fit, |row| refuse(row, reason(ty)))) as ArrayRef
            }),
            FieldType::Number | FieldType::Point if column.data_type().is_numeric() => {
                let name = Arc::clone(self.name());
                widened::<Float64Type>(column).map(|wide| {
                    let fit = |n: f64| (n.is_finite() && in_range(&name, n)).then_some(n + 0.0);
                    Arc::new(map::<_, Float64Type>(&wide, fit, |row| refuse(row, reason(ty)))) as ArrayRef
                })
            }
            FieldType::Money => money(column, &mut refuse),
            FieldType::Date => days(column).map(|days| {
                let fit = |day: i32| calendar_day(day).map(pack_date);
                Arc::new(map::<_, Int32Type>(days, fit, |row| refuse(row, reason(ty)))) as ArrayRef
            }),
            FieldType::Time => times(column, &mut refuse),
            FieldType::Int
            | FieldType::Number
            | FieldType::Point
            | FieldType::Text
            | FieldType::Category
            | FieldType::Code
            | FieldType::Categories => None,
        };
        column.ok_or_else(unfit)
    }

    fn texts(&mut self, column: &ArrayRef, refuse: &mut impl FnMut(usize, Reason)) -> ArrayRef {
        let texts = column.as_string::<i32>();
        let field = self.encoder.field();
        if field.ty == FieldType::Text && !has_form(field) && stored_as_is(texts) {
            return tight(texts).unwrap_or_else(|| Arc::clone(column));
        }
        for row in 0..texts.len() {
            if texts.is_null(row) {
                self.encoder.missing();
            } else if let Err(reason) = self.encoder.text(texts.value(row)) {
                refuse(row, reason);
            }
        }
        self.encoder.finish()
    }

    /// Encodes each distinct value once, then spreads them by the keys, or keeps the keys.
    fn dictionary(&mut self, column: &ArrayRef, refuse: &mut impl FnMut(usize, Reason)) -> Option<ArrayRef> {
        let dictionary = column.as_any_dictionary_opt()?;
        let values = cast(dictionary.values(), &DataType::Utf8)?;
        let mut wrong = vec![None; values.len()];
        let encoded = self.texts(&values, &mut |place, reason| {
            if let Some(slot) = wrong.get_mut(place) {
                *slot = Some(reason);
            }
        });
        let keys = cast(&dictionary.keys().slice(0, column.len()), &DataType::UInt32)?;
        let keys = keys.as_primitive_opt::<UInt32Type>()?;
        if wrong.iter().any(Option::is_some) {
            let reasons = |key: u32| wrong.get(usize::try_from(key).ok()?).copied().flatten();
            for (row, key) in keys.iter().enumerate() {
                if let Some(reason) = key.and_then(reasons) {
                    refuse(row, reason);
                }
            }
        }
        let few = self.texts_max == usize::MAX
            || encoded.len() <= self.texts_max && encoded.len() * ROWS_PER_TEXT <= keys.len();
        // A text that is missing or wrong makes its rows missing: then there is no dictionary.
        if few && self.texts_max > 0 && encoded.null_count() == 0 {
            return narrow(keys, encoded);
        }
        take(&encoded, keys as &UInt32Array, None).ok()
    }
}

/// A dictionary with keys as small as they can be.
fn narrow(keys: &UInt32Array, texts: ArrayRef) -> Option<ArrayRef> {
    fn of<K: ArrowDictionaryKeyType>(keys: &UInt32Array, texts: ArrayRef) -> Option<ArrayRef> {
        let keys = cast(keys, &K::DATA_TYPE)?.as_primitive_opt::<K>()?.clone();
        Some(Arc::new(DictionaryArray::<K>::try_new(keys, texts).ok()?))
    }
    match texts.len() {
        0..=0xff => of::<UInt8Type>(keys, texts),
        0x100..=0xffff => of::<UInt16Type>(keys, texts),
        _ => of::<UInt32Type>(keys, texts),
    }
}

/// A copy without the room that a reader left for more: rows wait long. `None` when there is little of it.
fn tight(texts: &StringArray) -> Option<ArrayRef> {
    let offsets = texts.value_offsets();
    let end = usize::try_from(*offsets.last()?).ok()?;
    let (room, used) = (texts.get_buffer_memory_size(), end + size_of_val(offsets));
    if room <= used + used / 8 {
        return None;
    }
    let values = Buffer::from(texts.value_data().get(..end)?);
    let offsets = OffsetBuffer::new(offsets.to_vec().into());
    Some(Arc::new(StringArray::try_new(offsets, values, texts.nulls().cloned()).ok()?))
}

/// ASCII without empty cells: nothing to normalise, nothing missing.
fn stored_as_is(texts: &StringArray) -> bool {
    texts.is_ascii() && texts.iter().all(|text| text != Some(""))
}

fn cast(column: &dyn Array, to: &DataType) -> Option<ArrayRef> {
    cast_with_options(column, to, &CastOptions { safe: false, ..CastOptions::default() }).ok()
}

fn widened<T: ArrowPrimitiveType>(column: &ArrayRef) -> Option<PrimitiveArray<T>> {
    Some(cast(column, &T::DATA_TYPE)?.as_primitive_opt::<T>()?.clone())
}

/// Applies `fit` to every value; those without a result become missing and are told.
fn map<I: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    column: &PrimitiveArray<I>,
    fit: impl Fn(I::Native) -> Option<O::Native>,
    mut refuse: impl FnMut(usize),
) -> PrimitiveArray<O> {
    let mut wrong = Vec::new();
    let values: Vec<O::Native> = column
        .values()
        .iter()
        .enumerate()
        .map(|(row, value)| {
            fit(*value).unwrap_or_else(|| {
                wrong.push(row);
                O::Native::default()
            })
        })
        .collect();
    // A slot under a null may hold anything.
    wrong.into_iter().filter(|row| column.is_valid(*row)).for_each(&mut refuse);
    PrimitiveArray::new(values.into(), column.nulls().cloned())
}

/// A day that text forms can write too: from the year 1 to 9999.
fn calendar_day(days: i32) -> Option<Day> {
    day_from_epoch(days).filter(|day| (1..=9999).contains(&day.year()))
}

fn days(column: &ArrayRef) -> Option<&PrimitiveArray<Date32Type>> {
    column.as_primitive_opt::<Date32Type>()
}

fn times(column: &ArrayRef, refuse: &mut impl FnMut(usize, Reason)) -> Option<ArrayRef> {
    if let Some(days) = days(column) {
        let fit = |day: i32| calendar_day(day).map(|day| pack_time(When::Day(day)));
        let packed = map::<_, Int64Type>(days, fit, |row| refuse(row, Reason::BadTime));
        return Some(Arc::new(packed));
    }
    let DataType::Timestamp(unit, Some(zone)) = column.data_type() else { return None };
    let micros = match unit {
        TimeUnit::Microsecond => Arc::clone(column),
        TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Nanosecond => {
            cast(column, &DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone))))?
        }
    };
    let micros = micros.as_primitive_opt::<TimestampMicrosecondType>()?;
    let fit = |at: i64| (at.unsigned_abs() <= PACKABLE_MICROS_MAX.unsigned_abs()).then(|| at.wrapping_mul(4));
    Some(Arc::new(map::<_, Int64Type>(micros, fit, |row| refuse(row, Reason::BadTime))))
}

fn money(column: &ArrayRef, refuse: &mut impl FnMut(usize, Reason)) -> Option<ArrayRef> {
    let wrong = |row| refuse(row, Reason::BadMoney);
    if column.data_type().is_integer() {
        let wide = widened::<Int64Type>(column)?;
        return Some(Arc::new(map::<_, Int64Type>(&wide, |units| units.checked_mul(100), wrong)));
    }
    let amounts: &Decimal128Array = column.as_primitive_opt::<Decimal128Type>()?;
    let scale = i32::from(amounts.scale()) - 2;
    let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
    let fit = |amount: i128| {
        let cents = if scale <= 0 {
            amount.checked_mul(factor)?
        } else if amount % factor == 0 {
            amount / factor
        } else {
            return None;
        };
        i64::try_from(cents).ok()
    };
    Some(Arc::new(map::<_, Int64Type>(amounts, fit, wrong)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use arrow::array::{
        BooleanArray, Date32Array, DictionaryArray, Float64Array, Int16Array, Int32Array, Int64Array,
        NullArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    };
    use hyperseg_dsl::schema::Schema;
    use hyperseg_dsl::value::{parse_day, parse_when};

    use super::*;

    fn encode(
        kind: Option<&str>,
        field: &str,
        column: ArrayRef,
    ) -> Result<(ArrayRef, Vec<(usize, Reason)>), Unfit> {
        let schema = Schema::built_in();
        let fields = super::super::table_fields(&schema, kind.map(|kind| schema.record(kind).unwrap()));
        let field = fields.iter().find(|known| known.name == field).unwrap();
        let mut wrong = Vec::new();
        let encoded = ForeignColumn::new(field).encode(&column, |row, reason| wrong.push((row, reason)))?;
        assert_eq!(encoded.data_type(), crate::layout::columns_of(field)[0].data_type());
        assert_eq!(encoded.len(), column.len());
        Ok((encoded, wrong))
    }

    #[test]
    fn text_and_categories() {
        let texts = StringArray::from(vec![Some("female"), None, Some(""), Some("Female"), Some("male")]);
        let expected = Int16Array::from(vec![Some(0), None, None, None, Some(1)]);
        let plain: ArrayRef = Arc::new(texts.clone());
        let (encoded, wrong) = encode(None, "gender", plain).unwrap();
        assert_eq!(encoded.as_primitive(), &expected);
        assert_eq!(wrong, [(3, Reason::UnknownCategory)]);
        let keys = Int32Array::from(vec![Some(0), None, Some(2), Some(1), Some(3)]);
        let values = StringArray::from(vec!["female", "Female", "", "male"]);
        let dictionary: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::new(values)));
        let (encoded, wrong) = encode(None, "gender", dictionary).unwrap();
        assert_eq!(encoded.as_primitive(), &expected);
        assert_eq!(wrong, [(3, Reason::UnknownCategory)]);
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("Zoe\u{308}"), Some(""), Some("Bob")]));
        let (encoded, _) = encode(None, "first_name", names).unwrap();
        assert_eq!(encoded.as_string::<i32>(), &StringArray::from(vec![Some("Zo\u{eb}"), None, Some("Bob")]));
        let zips: ArrayRef = Arc::new(StringArray::from(vec!["02138-1234", "2138"]));
        let (encoded, wrong) = encode(None, "zip", zips).unwrap();
        assert_eq!(encoded.as_string::<i32>(), &StringArray::from(vec![Some("02138"), None]));
        assert_eq!(wrong, [(1, Reason::BadText)]);
        let codes: ArrayRef = Arc::new(StringArray::from(vec!["icd10:e11.9", "ICD10CM:E119", "E11.9"]));
        let (encoded, wrong) = encode(Some("condition"), "code", codes).unwrap();
        assert_eq!(
            encoded.as_string::<i32>(),
            &StringArray::from(vec![Some("ICD10CM:E119"), Some("ICD10CM:E119"), None])
        );
        assert_eq!(wrong, [(2, Reason::BadCode)]);
    }

    #[test]
    fn times_dates_and_money() {
        let day = parse_day("1899-12-31").unwrap();
        let instant = parse_when("2024-03-01T09:30:00.123Z").unwrap();
        let days: ArrayRef =
            Arc::new(Date32Array::from(vec![Some(hyperseg_dsl::value::days_since_epoch(day)), None]));
        let (encoded, _) = encode(None, "birth_date", Arc::clone(&days)).unwrap();
        assert_eq!(encoded.as_primitive(), &Int32Array::from(vec![Some(pack_date(day)), None]));
        let (encoded, _) = encode(Some("lab"), "at", days).unwrap();
        let packed = pack_time(hyperseg_dsl::value::When::Day(day));
        assert_eq!(encoded.as_primitive(), &Int64Array::from(vec![Some(packed), None]));
        let millis: ArrayRef =
            Arc::new(TimestampMillisecondArray::from(vec![1_709_285_400_123]).with_timezone("UTC"));
        let (encoded, _) = encode(Some("lab"), "at", millis).unwrap();
        assert_eq!(encoded.as_primitive(), &Int64Array::from(vec![pack_time(instant)]));
        let far: ArrayRef =
            Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX, i64::MIN, 0]).with_timezone("UTC"));
        let (encoded, wrong) = encode(Some("lab"), "at", far).unwrap();
        assert_eq!(wrong, [(0, Reason::BadTime), (1, Reason::BadTime)]);
        assert_eq!(encoded.null_count(), 0, "refused rows are left out by their row number");
        let local: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0]));
        assert!(encode(Some("lab"), "at", local).is_err());
        let amounts = Decimal128Array::from(vec![125_000, 125_001]).with_precision_and_scale(18, 3).unwrap();
        let (encoded, wrong) = encode(None, "income", Arc::new(amounts)).unwrap();
        assert_eq!(encoded.as_primitive::<Int64Type>().value(0), 12_500);
        assert_eq!(wrong, [(1, Reason::BadMoney)]);
        let none: ArrayRef = Arc::new(NullArray::new(3));
        assert_eq!(encode(None, "income", none).unwrap().0.null_count(), 3);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, -0.0, 91.0]));
        let (encoded, wrong) = encode(None, "location_lat", floats).unwrap();
        assert_eq!(wrong, [(0, Reason::BadNumber), (2, Reason::BadNumber)]);
        assert!(encoded.as_primitive::<Float64Type>().value(1).is_sign_positive());
        let truths: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        assert!(encode(None, "income", truths).is_err());
    }
}
