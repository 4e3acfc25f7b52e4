//! Reading ahead where every read is a journey.
//!
//! In: the ranges of a file that a decoder will ask for, column by column. Out: the same ranges, fetched in larger pieces,
//! those of all columns at the same time. Of a file on a disk nothing is read ahead: there a read costs what it reads.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::DataFile;
use crate::error::Result;

/// Longest piece; so many bytes of each column are in memory at once, and as many are on their way.
const PIECE_BYTES: u64 = 4 << 20;
/// What lies between two wanted ranges is fetched with them when it is no longer than this: it takes less time than
/// another journey.
const GAP_BYTES: u64 = 128 << 10;

/// Pieces of a file, fetched when the first of their bytes are asked for.
#[derive(Debug)]
pub(crate) struct Ahead {
    pieces: Mutex<Vec<Piece>>,
}

#[derive(Debug)]
struct Piece {
    column: usize,
    range: Range<u64>,
    bytes: Option<Bytes>,
    is_past: bool,
}

impl Ahead {
    /// For the ranges of each column, which ascend.
    pub(crate) fn new(columns: impl IntoIterator<Item = Vec<Range<u64>>>) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for (column, ranges) in columns.into_iter().enumerate() {
            for range in ranges {
                match pieces.last_mut() {
                    Some(last)
                        if last.column == column
                            && range.start <= last.range.end.saturating_add(GAP_BYTES)
                            && range.end.saturating_sub(last.range.start) <= PIECE_BYTES =>
                    {
                        last.range.end = last.range.end.max(range.end);
                    }
                    _ => pieces.push(Piece { column, range, bytes: None, is_past: false }),
                }
            }
        }
        Self { pieces: Mutex::new(pieces) }
    }

    /// The bytes of a range; none when it is in no piece.
    pub(crate) fn get(&self, file: &DataFile, range: &Range<u64>) -> Result<Option<Bytes>> {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let covers = |piece: &Piece| piece.range.start <= range.start && range.end <= piece.range.end;
        let Some(place) = pieces.iter().position(covers) else { return Ok(None) };
        if pieces.get(place).is_some_and(|piece| piece.bytes.is_none()) {
            fetch(file, &mut pieces, place)?;
        }
        let Some(piece) = pieces.get(place) else { return Ok(None) };
        let within = |at: u64| usize::try_from(at - piece.range.start).unwrap_or(usize::MAX);
        let (start, end) = (within(range.start), within(range.end));
        Ok(piece.bytes.as_ref().filter(|bytes| end <= bytes.len()).map(|bytes| bytes.slice(start..end)))
    }
}

/// Fetches a piece, and of every other column the next one that was not fetched yet: a decoder goes through them side by
/// side. What the column has left behind is let go.
fn fetch(file: &DataFile, pieces: &mut [Piece], place: usize) -> Result<()> {
    let Some(column) = pieces.get(place).map(|piece| piece.column) else { return Ok(()) };
    let mut wanted = vec![place];
    let mut seen = vec![column];
    for (number, piece) in pieces.iter_mut().enumerate() {
        if piece.column == column && number < place {
            piece.bytes = None;
            piece.is_past = true;
        } else if !seen.contains(&piece.column) && piece.bytes.is_none() && !piece.is_past {
            seen.push(piece.column);
            wanted.push(number);
        } else if piece.column != column && piece.bytes.is_some() {
            // It is not through with what it has.
            seen.push(piece.column);
        }
    }
    let ranges: Vec<Range<u64>> =
        wanted.iter().filter_map(|number| pieces.get(*number)).map(|piece| piece.range.clone()).collect();
    for (number, bytes) in wanted.into_iter().zip(file.read_all(&ranges)?) {
        if let Some(piece) = pieces.get_mut(number) {
            piece.bytes = Some(bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_close_together_is_one_piece() {
        let far = 10 * PIECE_BYTES;
        let ahead = Ahead::new([
            vec![100..200, 200..300, 300 + GAP_BYTES..400 + GAP_BYTES, far..far + 1],
            vec![500..600, 500 + PIECE_BYTES..500 + PIECE_BYTES + 1],
        ]);
        let pieces = ahead.pieces.lock().unwrap();
        let found: Vec<_> = pieces.iter().map(|piece| (piece.column, piece.range.clone())).collect();
        let second = 500 + PIECE_BYTES..500 + PIECE_BYTES + 1;
        assert_eq!(
            found,
            [(0, 100..400 + GAP_BYTES), (0, far..far + 1), (1, 500..600), (1, second)],
            "a gap is bridged, a piece does not grow beyond its length"
        );
    }
}
