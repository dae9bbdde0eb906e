//! The display adapter: VGA with Bochs VBE extensions, and pictures of its screen.

mod frame;

pub use frame::Frame;
