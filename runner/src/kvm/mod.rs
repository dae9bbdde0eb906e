//! What the runner asks of KVM: whether it is there, the virtual machine, its memory slots and processors.

mod region;

pub use region::Region;
