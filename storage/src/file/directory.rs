//! The page directory of one column of one file: where its pages lie, and bounds of what is in them.
//!
//! In: page locations from the encoder and the column's values, at writing; the sealed section, at reading. Out: the
//! pages, and for each block of rows the number of missing values and the smallest and largest value. Readers rule
//! blocks out with it, or know without reading that all rows of a block satisfy a test. Parquet's own page index
//! would need the keys of all columns of a file; this one is sealed under the key of its own column, so that bounds
//! say nothing to a reader whom the column is closed to.
//!
//! ```text
//! section = seal(column's data key, aad, bytes)      aad = "hyperseg page directory v1", place of the file, column
//! bytes   = version(1) ‖ groups(4) ‖ per group: pages(4) ‖ per page: offset(8) length(4) first row(4)
//!           ‖ blocks(4) ‖ per block: missing(4) ‖ bounds
//! bounds  = 0 | 1 min(8) max(8) precisions(1) | 2 min(8) max(8) | 3 length(1) min ‖ length(1) max
//! ```
//!
//! Numbers are little endian. A block is [`FileEntry::page_rows`] rows, the last one of a file may be shorter; pages of
//! columns that are no lists hold exactly one block each.
//!
//! [`FileEntry::page_rows`]: crate::dataset::FileEntry::page_rows

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{max, max_boolean, max_string, min, min_boolean, min_string};
use arrow::datatypes::{DataType, Float64Type, Int16Type, Int32Type, Int64Type, UInt32Type};

const VERSION: u8 = 1;
/// Longest text that bounds are kept of.
const TEXT_MAX: usize = 64;

/// Where a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PagePlace {
    /// Offset in the file.
    pub offset: u64,
    /// Bytes of header and data, encrypted.
    pub bytes: u32,
    /// Row within its row group that it starts with.
    pub first_row: u32,
}

/// Smallest and largest value of a block.
#[derive(Clone, Debug, PartialEq)]
pub enum Bounds {
    /// Nothing is known, or no value is there.
    Unknown,
    /// Whole numbers, as stored; Booleans are 0 and 1.
    Int {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// Bit *p* is set when a value has *p* in its two lowest bits: the precisions of packed moments and dates.
        precisions: u8,
    },
    /// Finite numbers.
    Float {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// Texts by their bytes.
    Text {
        /// Smallest.
        min: String,
        /// Largest.
        max: String,
    },
}

/// What is known of the rows of a block in one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Rows without a value.
    pub missing: u32,
    /// Bounds of the others.
    pub bounds: Bounds,
}

/// The page directory of one column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageDirectory {
    /// Pages by row group.
    pub groups: Vec<Vec<PagePlace>>,
    /// Blocks of the whole file in order; none for lists.
    pub blocks: Vec<Block>,
}

impl PageDirectory {
    /// The blocks of a column by itself; it has no pages.
    #[must_use]
    pub fn of_values(values: &ArrayRef, block_rows: usize) -> Self {
        let mut this = Self::default();
        this.push_blocks(values, 0, block_rows, true);
        this
    }

    /// Adds the rows of a batch, which come after `before` others, to the blocks. `texts` says whether bounds of texts
    /// are worth keeping.
    pub(super) fn push_blocks(&mut self, values: &ArrayRef, before: u64, block_rows: usize, texts: bool) {
        if matches!(values.data_type(), DataType::List(_)) || block_rows == 0 {
            return;
        }
        let filled = usize::try_from(before % block_rows as u64).unwrap_or_default();
        let mut room = block_rows - filled;
        let mut start = 0;
        while start < values.len() {
            let length = room.min(values.len() - start);
            let block = Block::of(&values.slice(start, length), texts);
            match self.blocks.last_mut() {
                Some(last) if room < block_rows => last.extend(block),
                _ => self.blocks.push(block),
            }
            room = block_rows;
            start += length;
        }
    }

    /// The bytes of a section.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let mut out = vec![VERSION];
        put_len(&mut out, self.groups.len())?;
        for pages in &self.groups {
            put_len(&mut out, pages.len())?;
            for page in pages {
                out.extend_from_slice(&page.offset.to_le_bytes());
                out.extend_from_slice(&page.bytes.to_le_bytes());
                out.extend_from_slice(&page.first_row.to_le_bytes());
            }
        }
        put_len(&mut out, self.blocks.len())?;
        for block in &self.blocks {
            out.extend_from_slice(&block.missing.to_le_bytes());
            block.bounds.encode(&mut out)?;
        }
        Some(out)
    }

    /// The directory behind the bytes of a section; `None` when they are not one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        if input.u8()? != VERSION {
            return None;
        }
        let mut this = Self::default();
        for _ in 0..input.u32()? {
            let pages = input.u32()?;
            let mut group = Vec::with_capacity((pages as usize).min(bytes.len() / 16));
            for _ in 0..pages {
                group.push(PagePlace { offset: input.u64()?, bytes: input.u32()?, first_row: input.u32()? });
            }
            this.groups.push(group);
        }
        let blocks = input.u32()?;
        this.blocks.reserve((blocks as usize).min(bytes.len() / 5));
        for _ in 0..blocks {
            this.blocks.push(Block { missing: input.u32()?, bounds: Bounds::decode(&mut input)? });
        }
        input.0.is_empty().then_some(this)
    }
}

impl Block {
    fn of(values: &ArrayRef, texts: bool) -> Self {
        let missing = u32::try_from(values.null_count()).unwrap_or(u32::MAX);
        Self { missing, bounds: Bounds::of(values, texts).unwrap_or(Bounds::Unknown) }
    }

    /// Takes the rows of another block.
    fn extend(&mut self, other: Self) {
        self.missing = self.missing.saturating_add(other.missing);
        let bounds = match (&self.bounds, other.bounds) {
            (Bounds::Int { min, max, precisions }, Bounds::Int { min: low, max: high, precisions: more }) => {
                Bounds::Int { min: low.min(*min), max: high.max(*max), precisions: precisions | more }
            }
            (Bounds::Float { min, max }, Bounds::Float { min: low, max: high }) => {
                Bounds::Float { min: low.min(*min), max: high.max(*max) }
            }
            (Bounds::Text { min, max }, Bounds::Text { min: low, max: high }) => {
                Bounds::Text { min: low.min(min.clone()), max: high.max(max.clone()) }
            }
            // Nothing is known of one part, and so of the whole.
            (_, _) => Bounds::Unknown,
        };
        self.bounds = bounds;
    }
}

impl Bounds {
    fn of(values: &ArrayRef, texts: bool) -> Option<Self> {
        let int = |min: i64, max: i64| Self::Int { min, max, precisions: 0b1111 };
        Some(match values.data_type() {
            DataType::UInt32 => {
                let values = values.as_primitive::<UInt32Type>();
                int(min(values)?.into(), max(values)?.into())
            }
            DataType::Int16 => {
                let values = values.as_primitive::<Int16Type>();
                int(min(values)?.into(), max(values)?.into())
            }
            DataType::Int32 => {
                let values = values.as_primitive::<Int32Type>();
                let precisions = values.iter().flatten().fold(0, |seen, value| seen | 1 << (value & 3));
                Self::Int { min: min(values)?.into(), max: max(values)?.into(), precisions }
            }
            DataType::Int64 => {
                let values = values.as_primitive::<Int64Type>();
                let precisions = values.iter().flatten().fold(0, |seen, value| seen | 1 << (value & 3));
                Self::Int { min: min(values)?, max: max(values)?, precisions }
            }
            DataType::Boolean => {
                let values = values.as_boolean();
                int(min_boolean(values)?.into(), max_boolean(values)?.into())
            }
            DataType::Float64 => {
                let values = values.as_primitive::<Float64Type>();
                let (min, max) = (min(values)?, max(values)?);
                (min.is_finite() && max.is_finite()).then_some(Self::Float { min, max })?
            }
            DataType::Utf8 if texts => {
                let values = values.as_string::<i32>();
                let (min, max) = (min_string(values)?, max_string(values)?);
                let short = min.len() <= TEXT_MAX && max.len() <= TEXT_MAX;
                short.then(|| Self::Text { min: min.to_owned(), max: max.to_owned() })?
            }
            _ => return None,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Unknown => out.push(0),
            Self::Int { min, max, precisions } => {
                out.push(1);
                out.extend_from_slice(&min.to_le_bytes());
                out.extend_from_slice(&max.to_le_bytes());
                out.push(*precisions);
            }
            Self::Float { min, max } => {
                out.push(2);
                out.extend_from_slice(&min.to_bits().to_le_bytes());
                out.extend_from_slice(&max.to_bits().to_le_bytes());
            }
            Self::Text { min, max } => {
                out.push(3);
                for text in [min, max] {
                    out.push(u8::try_from(text.len()).ok()?);
                    out.extend_from_slice(text.as_bytes());
                }
            }
        }
        Some(())
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        Some(match input.u8()? {
            0 => Self::Unknown,
            1 => Self::Int {
                min: input.u64()?.cast_signed(),
                max: input.u64()?.cast_signed(),
                precisions: input.u8()?,
            },
            2 => Self::Float { min: f64::from_bits(input.u64()?), max: f64::from_bits(input.u64()?) },
            3 => Self::Text { min: input.text()?, max: input.text()? },
            _ => return None,
        })
    }
}

fn put_len(out: &mut Vec<u8>, length: usize) -> Option<()> {
    out.extend_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
    Some(())
}

/// Bytes that are taken from the front.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(self.u8()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(str::to_owned)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    fn directory() -> PageDirectory {
        let mut directory = PageDirectory {
            groups: vec![
                vec![
                    PagePlace { offset: 4, bytes: 100, first_row: 0 },
                    PagePlace { offset: 104, bytes: 9, first_row: 2 },
                ],
                vec![PagePlace { offset: 200, bytes: 50, first_row: 0 }],
            ],
            blocks: Vec::new(),
        };
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(4), Some(9), None, None, Some(-3)]));
        directory.push_blocks(&column, 0, 2, true);
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), Some("a"), Some(&"x".repeat(65))]));
        directory.push_blocks(&column, 0, 2, true);
        let column: ArrayRef = Arc::new(Float64Array::from(vec![1.5, -2.0]));
        directory.push_blocks(&column, 0, 2, true);
        directory
    }

    #[test]
    fn blocks_are_bounded() {
        let blocks = directory().blocks;
        assert_eq!(
            blocks[0],
            Block { missing: 0, bounds: Bounds::Int { min: 4, max: 9, precisions: 0b0011 } }
        );
        assert_eq!(blocks[1], Block { missing: 2, bounds: Bounds::Unknown });
        assert_eq!(
            blocks[2],
            Block { missing: 0, bounds: Bounds::Int { min: -3, max: -3, precisions: 0b0010 } }
        );
        assert_eq!(blocks[3].bounds, Bounds::Text { min: "a".to_owned(), max: "b".to_owned() });
        assert_eq!(blocks[4].bounds, Bounds::Unknown, "long texts have no bounds");
        assert_eq!(blocks[5].bounds, Bounds::Float { min: -2.0, max: 1.5 });
    }

    #[test]
    fn blocks_are_the_same_however_their_rows_arrive() {
        let all: ArrayRef =
            Arc::new((0..100).map(|row| (row % 9 > 2).then_some(row * 7 % 50)).collect::<Int64Array>());
        for block_rows in [1, 4, 16, 64, 128] {
            let whole = PageDirectory::of_values(&all, block_rows);
            for piece in [1, 3, 10, 99] {
                let mut pieces = PageDirectory::default();
                for start in (0..100).step_by(piece) {
                    let rows = all.slice(start, piece.min(100 - start));
                    pieces.push_blocks(&rows, start as u64, block_rows, true);
                }
                assert_eq!(pieces.blocks.len(), whole.blocks.len());
                for (piece, whole) in pieces.blocks.iter().zip(&whole.blocks) {
                    assert_eq!(piece.missing, whole.missing);
                    // A piece without a value says nothing of its bounds.
                    assert!(piece.bounds == whole.bounds || piece.bounds == Bounds::Unknown);
                }
            }
        }
    }

    #[test]
    fn sections_read_back_and_nothing_else_does() {
        let directory = directory();
        let bytes = directory.encode().unwrap();
        assert_eq!(PageDirectory::decode(&bytes).unwrap(), directory);
        for length in 0..bytes.len() {
            assert_eq!(PageDirectory::decode(&bytes[..length]), None);
        }
        assert_eq!(PageDirectory::decode(&[bytes.clone(), vec![0]].concat()), None);
        let mut huge = bytes;
        huge[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(PageDirectory::decode(&huge), None, "lengths are not believed");
    }
}
