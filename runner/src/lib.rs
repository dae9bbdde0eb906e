//! The virtual PC: an i440FX/PIIX3 machine on KVM that SeaBIOS knows and old systems have drivers for.
//!
//! Data flows one way: guest exit → bus → device → backend. Devices are plain state machines that run without KVM.

pub mod acpi;
pub mod bus;
pub mod chipset;
pub mod config;
pub mod control;
pub mod device;
pub mod display;
pub mod input;
pub mod kvm;
pub mod machine;
pub mod pci;
pub mod sandbox;
pub mod smbios;
pub mod storage;
pub mod usb;
pub mod video;

pub use config::{MachineConfig, Outcome, RunError};
pub use machine::run;
