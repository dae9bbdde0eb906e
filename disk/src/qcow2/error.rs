//! What can go wrong with a qcow2 image.

use std::io;
use std::path::PathBuf;

/// An image that cannot be read, written or understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Qcow2Error {
    /// The file could not be opened, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The image file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// It is no qcow2 image, or one that breaks the format's rules.
    #[error("{path} is not a usable qcow2 image: {reason}")]
    Invalid {
        /// The image file.
        path: PathBuf,
        /// Which rule, where, and the value found.
        reason: String,
    },
    /// It is valid but uses a feature that is not supported here.
    #[error("{path} uses {feature}, which p2v cannot read; convert it with: qemu-img convert -O qcow2")]
    Unsupported {
        /// The image file.
        path: PathBuf,
        /// The feature in words.
        feature: String,
    },
    /// Another process uses the image.
    #[error("{path} is in use by another process; shut that machine down first")]
    Locked {
        /// The image file.
        path: PathBuf,
    },
}
