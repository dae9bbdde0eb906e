//! Windows registry hives: the `regf` format, versions 1.3 (Windows 2000) to 1.6 (Windows 11).
//!
//! Source: "Windows registry file format specification" by M. Suhanov; names of structures and fields are its. One
//! structure a file: [`base_block`] → bins of cells ([`bin`], [`cell`]) → [`key`] nodes, their [`subkeys`] lists, their
//! [`value`]s, whose data may be [`big_data`], and their [`security`].
//!
//! The bytes may be a stranger's. Every offset is checked, every loop has a bound that follows from the hive's size,
//! and no size field is believed before the bytes are there. Errors name the place.
//!
//! Before a hive is edited it is finished from its transaction logs ([`log`]); [`edit`] changes it and leaves
//! everything else as it is, byte for byte.
//!
//! All offsets of cells are relative to the first bin, which lies 4096 bytes into the file.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

pub mod base_block;
mod big_data;
pub mod bin;
mod bytes;
pub mod cell;
mod census;
pub mod edit;
mod error;
pub mod hive;
pub mod key;
pub mod log;
mod name;
pub mod security;
mod subkeys;
pub mod value;
mod walk;

pub use cell::CellOffset;
pub use error::HiveError;
pub use hive::Hive;
pub use key::Key;
pub use value::{Value, ValueType};
pub use walk::Walk;
