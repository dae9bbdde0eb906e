//! qcow2 images: a write-once writer for captures, a reader for anything `qemu-img` makes, live overlays.
//!
//! Source: QEMU's `docs/interop/qcow2.txt`.
//!
//! * Writing: [`encoder`] (all cores) → [`writer`] → [`packed`], [`space`] and [`tables`] → [`output`].
//! * Reading: [`reader`] → each [`layer`] of the chain that [`backing`] opened → [`cache`] or [`decompress`].
//! * Running machine: [`overlay`] in its [`overlay_file`], on top of a [`reader`].

mod backing;
mod cache;
mod decompress;
mod encoder;
mod entry;
mod error;
mod header;
mod layer;
mod lock;
mod output;
mod overlay;
mod overlay_file;
mod packed;
mod reader;
mod space;
mod tables;
mod writer;
mod zero_tail;

pub use encoder::{ClusterEncoder, Compression, EncodedCluster};
pub use error::Qcow2Error;
pub use overlay::{Overlay, OverlayOptions};
pub use reader::{Image, ImageOptions};
pub use writer::{DEFAULT_CLUSTER_BITS, DEFAULT_LEVEL, Summary, Writer, WriterOptions};
