//! Why a hive could not be finished from its logs.

use crate::registry::HiveError;

/// Why a dirty hive could not be finished from its transaction logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It is not a hive, or one of a version that is not understood.
    #[error(transparent)]
    Hive(#[from] HiveError),
    /// There are no logs.
    #[error(
        "the registry hive was not completely written, and its transaction logs (files of the same name that end in \
         .LOG, .LOG1 and .LOG2) are missing: start Windows on the old PC, shut it down completely (`shutdown /s /t 0`) \
         and capture the disk again"
    )]
    Missing,
    /// None of the logs can be used.
    #[error(
        "the registry hive was not completely written, and none of its transaction logs finishes it ({0}): start \
         Windows on the old PC, shut it down completely (`shutdown /s /t 0`) and capture the disk again"
    )]
    Unusable(
        /// What is wrong with each.
        String,
    ),
    /// What came out is no sound hive.
    #[error(
        "the registry hive was not completely written, and it is still damaged after its transaction logs were \
         replayed ({0}): start Windows on the old PC, which may repair it, shut it down completely (`shutdown /s /t 0`) \
         and capture the disk again"
    )]
    Unsound(HiveError),
}

/// Why one log cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is empty")]
    Empty,
    #[error("{0}")]
    NotALog(HiveError),
    #[error("it is of an unknown type, {0}")]
    Type(u32),
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it was not completely written")]
    Unfinished,
    #[error("it belongs to another write of the hive")]
    OtherWrite,
    #[error("it has no map of pages")]
    NoMap,
    #[error("it is cut off")]
    Truncated,
    #[error("it has no valid entry that is newer than the hive")]
    NoEntry,
    #[error("it speaks of {0} bytes of bins")]
    Size(u32),
}
