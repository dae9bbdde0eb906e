//! Lists of subkeys: `lf` and `lh` (offsets with hints of the names), `li` (offsets), `ri` (offsets of such lists).

use super::bytes::{u16_at, u32_at};
use super::cell::{Cell, CellOffset};
use super::error::HiveError;
use super::hive::Hive;
use super::key::Key;

/// Where the elements start in the cell's data, after signature and count.
pub(super) const ELEMENTS: usize = 4;

/// One list: the elements of its cell.
#[derive(Clone, Copy)]
pub(super) struct List<'h> {
    pub(super) elements: &'h [u8],
    /// Bytes an element: 4, or 8 with a hint.
    pub(super) stride: usize,
    /// Whether the elements are lists themselves.
    pub(super) of_lists: bool,
}

impl<'h> List<'h> {
    pub(super) fn at(hive: &'h Hive, offset: CellOffset) -> Result<Self, HiveError> {
        let cell: Cell<'h> = hive.cell(offset)?;
        let (stride, of_lists) = match &cell.signature() {
            b"lf" | b"lh" => (8, false),
            b"li" => (4, false),
            b"ri" => (4, true),
            _ => return Err(cell.unexpected("a list of subkeys")),
        };
        let count = usize::from(u16_at(cell.data, 2).unwrap_or_default());
        let len = count.saturating_mul(stride);
        let elements = cell.data.get(ELEMENTS..).and_then(|rest| rest.get(..len));
        Ok(List {
            elements: elements.ok_or_else(|| cell.too_short("the list of subkeys"))?,
            stride,
            of_lists,
        })
    }

    /// Takes the first element off.
    fn pop(&mut self) -> Option<CellOffset> {
        let offset = u32_at(self.elements, 0)?;
        self.elements = self.elements.get(self.stride..).unwrap_or_default();
        Some(CellOffset(offset))
    }

    /// What its elements lead to: keys, or lists.
    pub(super) fn offsets(&self) -> impl Iterator<Item = CellOffset> + use<'h> {
        let elements = self.elements.chunks_exact(self.stride);
        elements.map(|element| CellOffset(u32_at(element, 0).unwrap_or(u32::MAX)))
    }

    fn empty() -> Self {
        List {
            elements: &[],
            stride: 4,
            of_lists: false,
        }
    }
}

/// Iterates over the keys of a list and of the lists that it lists. Two levels, as the format has it: an `ri` inside
/// an `ri` is damage.
pub(super) struct Subkeys<'h> {
    hive: &'h Hive,
    /// Not opened yet.
    start: Option<CellOffset>,
    lists: List<'h>,
    keys: List<'h>,
    /// How many more keys or lists may come: as many as the hive has room for.
    left: usize,
    failed: bool,
}

impl<'h> Subkeys<'h> {
    pub(super) fn new(hive: &'h Hive, start: Option<CellOffset>) -> Self {
        Subkeys {
            hive,
            start,
            lists: List::empty(),
            keys: List::empty(),
            left: hive.most_keys(),
            failed: false,
        }
    }

    fn step(&mut self) -> Result<Option<Key<'h>>, HiveError> {
        if let Some(start) = self.start.take() {
            let list = List::at(self.hive, start)?;
            *(if list.of_lists { &mut self.lists } else { &mut self.keys }) = list;
        }
        loop {
            if let Some(offset) = self.keys.pop() {
                self.count(offset)?;
                return Key::at(self.hive, offset).map(Some);
            }
            let Some(offset) = self.lists.pop() else {
                return Ok(None);
            };
            self.count(offset)?;
            self.keys = List::at(self.hive, offset)?;
            if self.keys.of_lists {
                return Err(self
                    .hive
                    .cell(offset)?
                    .unexpected("a list of subkeys, not a list of lists"));
            }
        }
    }

    fn count(&mut self, offset: CellOffset) -> Result<(), HiveError> {
        let what = "lists of subkeys";
        self.left = self.left.checked_sub(1).ok_or(HiveError::Circle { offset, what })?;
        Ok(())
    }
}

impl<'h> Iterator for Subkeys<'h> {
    type Item = Result<Key<'h>, HiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}
