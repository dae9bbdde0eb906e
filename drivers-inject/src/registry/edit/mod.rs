//! Editing a hive: values are set and deleted, keys created. Everything that was not asked for stays as it is, byte for
//! byte: other keys, timestamps (also of the keys that change, so that an edit depends on nothing but the hive and what
//! was asked), security descriptors, class names.
//!
//! An edit goes [`Editor`] → [`values`] with their [`data`], or [`keys`] with the [`lists`] that they are in → [`space`],
//! which hands out cells: the smallest [`free`] one that is large enough, else one in a new bin at the end, behind which
//! the file may have bytes to spare; only when there are none does the file grow.
//!
//! A hive is edited only if it is clean and sound as a whole (`census`): then no edit fails half-way.

mod data;
mod error;
mod free;
mod keys;
mod lists;
mod name;
mod space;
#[cfg(test)]
mod tests;
mod values;

pub use error::EditError;

use super::bytes::index;
use super::{Hive, ValueType, base_block};
use space::Space;

/// A hive that is being edited.
///
/// Paths are those of [`Hive::key`]: from the root, separated by `\`, whatever the case.
#[derive(Clone, Debug)]
pub struct Editor {
    space: Space,
    /// Bytes of the file before.
    original_len: usize,
    room: usize,
}

impl Editor {
    /// Takes the bytes of a hive file that is clean (see [`log::recover`](super::log::recover)). `room` is how many bytes
    /// the file may have without growing on its volume: what is allocated to it there.
    ///
    /// # Errors
    /// Dirty, truncated and damaged hives are refused.
    pub fn new(bytes: Vec<u8>, room: usize) -> Result<Self, EditError> {
        let original_len = bytes.len();
        let hive = Hive::parse(bytes)?;
        let base = hive.base_block();
        if base.is_dirty() {
            return Err(EditError::Dirty);
        }
        if hive.is_truncated() {
            return Err(EditError::Truncated {
                announced: index(base.bins_size),
                present: original_len.saturating_sub(base_block::SIZE),
            });
        }
        Ok(Editor {
            space: Space::new(hive)?,
            original_len,
            room,
        })
    }

    /// The hive as it is now.
    pub fn hive(&self) -> &Hive {
        self.space.hive()
    }

    /// Sets a value; the empty name is the default value's. `false` if it was so already.
    ///
    /// Data that are not longer than those they replace go into the same place.
    ///
    /// # Errors
    /// The key must exist ([`EditError::NoSuchKey`]). After an error the hive is as it was before.
    pub fn set_value(&mut self, key: &str, name: &str, kind: ValueType, data: &[u8]) -> Result<bool, EditError> {
        let Some(found) = self.hive().key(key)? else {
            return Err(EditError::NoSuchKey(key.to_owned()));
        };
        if found.is_predefined_handle() {
            return Err(EditError::PredefinedHandle(key.to_owned()));
        }
        let offset = found.offset();
        values::set(&mut self.space, offset, name, kind, data)
    }

    /// Deletes a value. `false` if there is no such value, or no such key.
    ///
    /// # Errors
    /// After an error the hive is as it was before.
    pub fn delete_value(&mut self, key: &str, name: &str) -> Result<bool, EditError> {
        match self.hive().key(key)?.map(|key| key.offset()) {
            Some(key) => values::delete(&mut self.space, key, name),
            None => Ok(false),
        }
    }

    /// Creates a key and what is missing above it. `false` if it was there. It shares the security descriptor of the
    /// key above it.
    ///
    /// # Errors
    /// Names that Windows does not allow. After an error the hive is as it was before.
    pub fn create_key(&mut self, path: &str) -> Result<bool, EditError> {
        keys::create(&mut self.space, path)
    }

    /// Whether anything was changed.
    pub fn is_changed(&self) -> bool {
        self.space.is_changed()
    }

    /// Bytes that the file grew by.
    pub fn growth(&self) -> usize {
        self.space.used().saturating_sub(self.original_len)
    }

    /// Bytes that the file needs beyond its `room`: its volume has to give it more.
    pub fn beyond_room(&self) -> usize {
        match self.growth() {
            0 => 0,
            _ => self.space.used().saturating_sub(self.room),
        }
    }

    /// The edited file: the next sequence number, so that no transaction log can belong to it, and a new checksum.
    /// A hive that was not changed comes back as it was.
    pub fn finish(self) -> Vec<u8> {
        let changed = self.is_changed();
        let hive = self.space.into_hive();
        let sequence = hive.base_block().sequence1.wrapping_add(1);
        let mut bytes = hive.into_bytes();
        if changed {
            // The file has a base block.
            let _ = base_block::seal(&mut bytes, sequence);
        }
        bytes
    }
}
