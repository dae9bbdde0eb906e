//! Transaction logs: what a hive was to be changed to when its last write was interrupted. A hive that is not completely
//! written must be finished from them before it is read, and certainly before it is edited: hives of Windows 8.1 and
//! later may lie unfinished on the disk for an hour, and Windows would either replay the logs over an edit or, if the
//! edit made the hive look clean, forget what is in them.
//!
//! Source: "Windows registry file format specification", transaction log files. Data flow: a log's [`header`] → its
//! [`entry`]s in the right [`sequence`], or its [`dirty_map`] → a [`plan`] of writes → [`recover()`].

mod dirty_map;
mod entry;
mod error;
mod header;
pub mod marvin32;
mod plan;
mod recover;
mod sequence;

pub use error::LogError;
pub use recover::{Recovered, recover};
