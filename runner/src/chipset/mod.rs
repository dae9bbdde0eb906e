//! The chipset and what is soldered to it: i440FX host bridge, PIIX3 and PIIX4 functions, clock, firmware interface,
//! serial ports. Interrupt controllers and interval timer are in the kernel.

pub mod cmos;
pub mod debugcon;
pub mod fw_cfg;
pub mod i440fx;
pub mod piix3;
pub mod piix3_ide;
pub mod pm;
pub mod serial;
pub mod small;

#[cfg(test)]
mod tests;
