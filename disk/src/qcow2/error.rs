//! What can go wrong with a qcow2 image.

use std::io;
use std::path::{Path, PathBuf};

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

impl Qcow2Error {
    /// The system's `source` error, met on the image at `path`.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Qcow2Error::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// The image at `path` breaks a rule of the format.
    pub(super) fn invalid(path: &Path, reason: impl Into<String>) -> Self {
        Qcow2Error::Invalid {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// The image at `path` needs something this reader does not have.
    pub(super) fn unsupported(path: &Path, feature: impl Into<String>) -> Self {
        Qcow2Error::Unsupported {
            path: path.to_owned(),
            feature: feature.into(),
        }
    }
}

/// For [`ReadAt`](crate::ReadAt), whose errors are the system's: the kind is kept, the whole message too.
impl From<Qcow2Error> for io::Error {
    fn from(error: Qcow2Error) -> Self {
        let kind = match &error {
            Qcow2Error::Io { source, .. } => source.kind(),
            Qcow2Error::Invalid { .. } => io::ErrorKind::InvalidData,
            Qcow2Error::Unsupported { .. } => io::ErrorKind::Unsupported,
            Qcow2Error::Locked { .. } => io::ErrorKind::ResourceBusy,
        };
        io::Error::new(kind, error)
    }
}
