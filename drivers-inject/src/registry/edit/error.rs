//! What can go wrong in an edit.

use crate::registry::HiveError;

/// Why a hive was not edited. The hive is then as it was before the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The hive is damaged, or no hive.
    #[error(
        "{0}; p2v does not edit it: start Windows on the old PC, which repairs its registry where it can, shut it down \
         completely (`shutdown /s /t 0`) and capture the disk again"
    )]
    Hive(#[from] HiveError),
    /// The last write to the hive was not finished.
    #[error(
        "the registry hive was not completely written: its transaction logs have to be replayed before it is edited, \
         or these changes would be lost"
    )]
    Dirty,
    /// Bytes are missing at the end of the file.
    #[error(
        "the registry hive is cut off: its base block speaks of {announced} bytes of bins, the file has {present}; \
         capture the disk again, or restore the file from a backup"
    )]
    Truncated {
        /// Bytes that the base block speaks of.
        announced: usize,
        /// Bytes that there are.
        present: usize,
    },
    /// A value was to be set in a key that does not exist.
    #[error(r"the registry has no key {0}: create it first")]
    NoSuchKey(String),
    /// A name that the registry cannot hold.
    #[error("{name:?} cannot be the name of a registry key or value: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A key that stands for a handle of Windows: it cannot have values.
    #[error("the registry key {0} stands for something inside of Windows and cannot have values; leave it as it is")]
    PredefinedHandle(String),
    /// More keys below each other than Windows allows.
    #[error("the registry key {0} would lie deeper than the 512 levels that Windows allows")]
    TooDeep(String),
    /// More data than a value can have, or more bytes than a hive.
    #[error("the registry hive has no room for another {0} bytes: a hive ends at 2 GiB")]
    Full(usize),
    /// More elements in a list, or more users of a security descriptor, than their number can say.
    #[error("the registry hive cannot take another key: {0} is full")]
    TooMany(&'static str),
}
