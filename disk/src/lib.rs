//! Bytes on disks: sources, partition tables, used-block maps, qcow2 images, files inside guest filesystems.
//!
//! This crate knows no command line and no operating system. Data flows one way:
//! [`source`] → [`partition`] table → [`usedmap`] of each volume → [`layout`] (what must be copied) → [`qcow2`] image.
#![forbid(unsafe_code)]

mod bytes;
mod checksum;
pub mod extent;
pub mod guestfs;
pub mod io;
pub mod layout;
pub mod lost;
pub mod lvm;
pub mod mapping;
pub mod partition;
pub mod qcow2;
pub mod raw;
pub mod scratch;
pub mod source;
pub mod usedmap;

pub use extent::ExtentSet;
pub use io::{BlockDevice, ReadAt};
pub use mapping::{Linear, Mapping};
pub use raw::RawFile;
