//! Why modules cannot be brought into an initramfs.

use super::hardware::Controller;
use crate::linux::initramfs::Generator;

/// Why modules cannot be brought into an initramfs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ModuleError {
    /// The version has no modules.
    #[error("the system has no modules for Linux {0}: /lib/modules/{0}/modules.dep is missing")]
    NoVersion(String),
    /// No such module.
    #[error("Linux {version} of this system has no module {name}: neither as a file nor in the kernel itself")]
    Absent {
        /// The kernel's version.
        version: String,
        /// The module's name.
        name: String,
    },
    /// The kernel cannot use the controller.
    #[error("Linux {version} of this system has no driver for a disk at {controller}")]
    NoDriver {
        /// The kernel's version.
        version: String,
        /// The controller.
        controller: Controller,
    },
    /// Nobody would load the modules.
    #[error(
        "{generator} made this initramfs: it is not known how modules that are added to it get loaded. Add the drivers \
         on the old PC, or choose a controller that the initramfs has drivers for"
    )]
    NoRequest {
        /// Who made the image.
        generator: Generator,
    },
    /// A file of the image that is to be changed was not read.
    #[error("the file {0} of the initramfs is to be changed, but it is too large or no file")]
    NotKept(String),
    /// `modules.dep` names it, but it is not there.
    #[error("the module file /{0} is missing, though modules.dep names it")]
    MissingFile(String),
}
