//! What the runner asks of KVM: whether it is there, the virtual machine, its memory slots and processors.

pub mod cpuid;
pub mod kick;
mod pages;
mod probe;
mod region;
pub mod vcpu;
pub mod vm;

pub use pages::Pages;
pub use probe::{KvmStatus, probe};
pub use region::Region;
pub use vcpu::Vcpu;
pub use vm::{Mapping, Vm};
