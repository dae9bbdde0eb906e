//! The data of a value: up to 4 bytes in the value itself, up to 16 344 in a cell, more in several cells (from version
//! 1.4 on).

use super::error::EditError;
use super::space::Space;
use crate::registry::value::{self, INLINE, LONGEST_SIMPLE, Storage, Value};
use crate::registry::{CellOffset, HiveError};

/// Bytes that fit into the value itself.
const LONGEST_INLINE: usize = 4;
/// Bytes that the cell of a segment has to spare: libhivex takes the last 4 for padding, which they are in a segment of
/// full length.
const SPARE: usize = 4;
/// More segments than this cannot be counted.
const MOST_SEGMENTS: usize = 65_535;

/// What the size and data fields of a value say.
pub(super) struct Fields {
    pub(super) size: u32,
    pub(super) data: [u8; 4],
}

/// Where the data of a value are now.
enum Place {
    Inline,
    Cell(CellOffset),
    Big {
        record: [CellOffset; 2],
        segments: Vec<CellOffset>,
    },
}

/// Refuses data that a value cannot have or the hive has no room for.
pub(super) fn check(space: &Space, data: &[u8]) -> Result<(), EditError> {
    let segments = data.chunks(LONGEST_SIMPLE).len();
    if segments > MOST_SEGMENTS {
        return Err(EditError::Full(data.len()));
    }
    // The record, the list of segments, the cells of the value and of its key's list of values.
    const OTHER_CELLS: usize = 4;
    let list = segments.saturating_mul(4);
    space.check_room(segments.saturating_add(OTHER_CELLS), data.len().saturating_add(list))
}

/// Writes data into new cells.
pub(super) fn store(space: &mut Space, data: &[u8]) -> Result<Fields, EditError> {
    let size = length(data)?;
    if data.len() <= LONGEST_INLINE {
        return Ok(inline(data, size));
    }
    let cell = if is_split(space, data) {
        store_split(space, data)?
    } else {
        space.allocate(data)?
    };
    Ok(Fields {
        size,
        data: cell.0.to_le_bytes(),
    })
}

/// Writes data over those of the value at `offset`: in place where they fit, else into new cells. Cells that are not
/// needed any more are freed. What is left over of a cell in place is not touched.
pub(super) fn replace(space: &mut Space, offset: CellOffset, data: &[u8]) -> Result<(), EditError> {
    let old = place(space, offset)?;
    let in_place = match &old {
        _ if data.len() <= LONGEST_INLINE => false,
        Place::Cell(cell) if !is_split(space, data) => put_whole(space, *cell, data)?,
        Place::Big { segments, .. } if is_split(space, data) => put_segments(space, segments, data)?,
        _ => false,
    };
    if in_place {
        space.put_u32(offset, value::at::SIZE, length(data)?)?;
        return Ok(());
    }
    let fields = store(space, data)?;
    space.put_u32(offset, value::at::SIZE, fields.size)?;
    space.put(offset, value::at::DATA, &fields.data)?;
    free(space, old)?;
    Ok(())
}

/// Frees the cells that hold the data of the value at `offset`, which must not be read afterwards.
pub(super) fn release(space: &mut Space, offset: CellOffset) -> Result<(), HiveError> {
    let old = place(space, offset)?;
    free(space, old)
}

/// Whether data are written in segments.
fn is_split(space: &Space, data: &[u8]) -> bool {
    data.len() > LONGEST_SIMPLE && space.hive().base_block().minor > 3
}

fn length(data: &[u8]) -> Result<u32, EditError> {
    let len = u32::try_from(data.len()).ok().filter(|len| len & INLINE == 0);
    len.ok_or(EditError::Full(data.len()))
}

fn inline(data: &[u8], size: u32) -> Fields {
    let mut field = [0; LONGEST_INLINE];
    for (place, byte) in field.iter_mut().zip(data) {
        *place = *byte;
    }
    Fields {
        size: size | INLINE,
        data: field,
    }
}

fn store_split(space: &mut Space, data: &[u8]) -> Result<CellOffset, EditError> {
    let mut list = Vec::new();
    for segment in data.chunks(LONGEST_SIMPLE) {
        let padded = [segment, &[0; SPARE]].concat();
        list.extend(space.allocate(&padded)?.0.to_le_bytes());
    }
    let count = u16::try_from(data.chunks(LONGEST_SIMPLE).len()).map_err(|_| EditError::Full(data.len()))?;
    let list = space.allocate(&list)?;
    let record = [&b"db"[..], &count.to_le_bytes(), &list.0.to_le_bytes()].concat();
    space.allocate(&record)
}

/// Writes data into the cell that there is, if it has the room.
fn put_whole(space: &mut Space, cell: CellOffset, data: &[u8]) -> Result<bool, HiveError> {
    let fits = space.capacity(cell)? >= data.len();
    if fits {
        space.put(cell, 0, data)?;
    }
    Ok(fits)
}

/// Writes data into the segments that there are, if they are as many as needed and each has the room.
fn put_segments(space: &mut Space, cells: &[CellOffset], data: &[u8]) -> Result<bool, HiveError> {
    let segments: Vec<&[u8]> = data.chunks(LONGEST_SIMPLE).collect();
    if segments.len() != cells.len() {
        return Ok(false);
    }
    for (cell, segment) in cells.iter().zip(&segments) {
        if space.capacity(*cell)? < segment.len().saturating_add(SPARE) {
            return Ok(false);
        }
    }
    for (cell, segment) in cells.iter().zip(&segments) {
        space.put(*cell, 0, segment)?;
    }
    Ok(true)
}

fn place(space: &Space, offset: CellOffset) -> Result<Place, HiveError> {
    Ok(match Value::at(space.hive(), offset)?.storage()? {
        Storage::Inline(_) => Place::Inline,
        Storage::Cell(cell) => Place::Cell(cell.offset),
        Storage::Big(big) => Place::Big {
            record: big.record(),
            segments: big.segments().collect(),
        },
    })
}

fn free(space: &mut Space, place: Place) -> Result<(), HiveError> {
    let cells = match place {
        Place::Inline => Vec::new(),
        Place::Cell(cell) => vec![cell],
        Place::Big { record, mut segments } => {
            segments.extend(record);
            segments
        }
    };
    cells.into_iter().try_for_each(|cell| space.release(cell))
}
