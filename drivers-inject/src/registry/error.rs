//! What can be wrong with a hive.

use super::cell::CellOffset;

/// What can be wrong with a hive, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HiveError {
    /// It does not start with a base block.
    #[error("this is no registry hive: {0}")]
    NotAHive(&'static str),
    /// A version that is not understood: 1.3 to 1.6 are.
    #[error("registry hive of version {major}.{minor}: only 1.3 to 1.6 are understood")]
    Version {
        /// Major version.
        major: u32,
        /// Minor version.
        minor: u32,
    },
    /// An offset that leads out of the bins, or to a cell that does not fit into them.
    #[error("the registry hive is damaged: {offset} leads out of its {size} bytes of bins")]
    OutOfBounds {
        /// The offset.
        offset: CellOffset,
        /// Bytes of bins in the file.
        size: usize,
    },
    /// An offset that leads to a cell that is free or has an impossible size.
    #[error("the registry hive is damaged: the cell at {offset} has the size field {size}")]
    BadCell {
        /// The offset of the cell.
        offset: CellOffset,
        /// Its size field: negative in cells that are in use.
        size: i32,
    },
    /// A cell that holds something else than expected.
    #[error("the registry hive is damaged: at {offset} there should be {expected}, but its signature is {found:02x?}")]
    Signature {
        /// The offset of the cell.
        offset: CellOffset,
        /// What should have been there, with its article: "a key".
        expected: &'static str,
        /// The first two bytes of the cell.
        found: [u8; 2],
    },
    /// A structure that needs more bytes than its cell has.
    #[error("the registry hive is damaged: {what} at {offset} does not fit into its cell of {len} bytes")]
    TooShort {
        /// The offset of the cell.
        offset: CellOffset,
        /// The structure, with its article.
        what: &'static str,
        /// Bytes in the cell.
        len: usize,
    },
    /// Lists or keys that lead back to themselves, or more of them than the file has room for.
    #[error("the registry hive is damaged: {what} at {offset} run in a circle")]
    Circle {
        /// Where it was noticed.
        offset: CellOffset,
        /// What runs in a circle, in the plural.
        what: &'static str,
    },
    /// A bin that does not have the header it should have.
    #[error("the registry hive is damaged: no bin starts at {offset}")]
    BadBin {
        /// Where a bin should start.
        offset: CellOffset,
    },
    /// An offset that leads into the middle of a cell, or to a free one.
    #[error("the registry hive is damaged: no cell that is in use starts at {offset}")]
    NotACell {
        /// The offset.
        offset: CellOffset,
    },
    /// A cell that two structures take for theirs.
    #[error("the registry hive is damaged: {offset} is used twice")]
    Shared {
        /// The offset of the cell.
        offset: CellOffset,
    },
    /// A key that does not have as many subkeys as it says.
    #[error("the registry hive is damaged: the key at {offset} speaks of {announced} subkeys and has {found}")]
    Count {
        /// The offset of the key.
        offset: CellOffset,
        /// How many subkeys it says that it has.
        announced: u32,
        /// How many there are.
        found: usize,
    },
}
