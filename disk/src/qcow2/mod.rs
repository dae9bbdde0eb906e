//! qcow2 images: a write-once writer for captures, a reader for anything `qemu-img` makes, live overlays.
//!
//! Source: QEMU's `docs/interop/qcow2.txt`.

mod error;
mod overlay;
mod reader;
mod writer;

pub use error::Qcow2Error;
pub use overlay::{Overlay, OverlayOptions};
pub use reader::Image;
pub use writer::{ClusterEncoder, Compression, EncodedCluster, Summary, Writer, WriterOptions};
