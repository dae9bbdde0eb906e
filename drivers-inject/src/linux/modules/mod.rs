//! The modules of a kernel.
