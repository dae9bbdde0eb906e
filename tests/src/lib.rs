//! Recipes that make disks, words for guest tests.
//!
//! Recipes are in [`fixtures`]: each makes a disk once and keeps it under a name that holds a hash of the recipe, so
//! that an edited recipe makes a new disk. Nothing here is an image: everything is made from Debian's packages.
#![forbid(unsafe_code)]

pub mod emulated;
pub mod fixtures;
pub mod guest;
pub mod i386;
pub mod mirror;
pub mod neighbour;
pub mod old_pc;
pub mod p2v;
pub mod picture;
pub mod ssh;
pub mod tool;
pub mod volume;
