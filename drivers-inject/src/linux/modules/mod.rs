//! The modules of a kernel: what its `/lib/modules/VERSION` has, what a virtual machine's controllers need, and what an
//! initramfs lacks of it.
//!
//! Data flows one way: [`ModuleTree`] (the root filesystem) and [`Initramfs`](super::initramfs::Initramfs) (the image)
//! → [`injection`] → the files to append.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

mod error;
mod hardware;
mod index;
mod injection;
mod request;
mod tree;

#[cfg(test)]
mod tests;

pub(crate) use hardware::{Controller, builtin_of_config, controllers_of};
pub(crate) use injection::{Injection, injection};
pub(crate) use tree::{Found, ModuleTree};
#[cfg(test)]
pub(crate) use {
    error::ModuleError,
    hardware::{Way, ways_of},
    injection::Copy,
};
