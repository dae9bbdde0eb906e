//! Real-mode sectors on a real virtual processor: the firmware, the devices and the chipset together.

#[allow(dead_code)]
mod common;

use common::{Guest, sector};
use runner::Outcome;
use std::os::unix::fs::FileExt;

#[test]
fn disk_sectors_are_read_and_written_and_apm_powers_off() {
    let pattern: Vec<u8> = (0..512).map(|at| (at * 7 % 251) as u8).collect();
    let guest = Guest::boot("disk", |image, _| image.write_all_at(&pattern, 512).unwrap());
    guest.wait_for("DISK OK");
    let (result, image, _folder) = guest.end();
    assert_eq!(result.unwrap(), Outcome::PoweredOff);
    let complement: Vec<u8> = pattern.iter().map(|byte| !byte).collect();
    assert_eq!(sector(&image, 2), complement);
    assert_eq!(sector(&image, 3), [0; 512]);
}

#[test]
fn timer_and_clock_interrupt_and_acpi_powers_off() {
    let guest = Guest::boot("timer", |_, _| {});
    guest.wait_for("TICKS OK");
    guest.wait_for("CLOCK OK");
    assert_eq!(guest.end().0.unwrap(), Outcome::PoweredOff);
}

#[test]
fn every_kind_of_reset_keeps_memory_and_cmos() {
    let guest = Guest::boot("reset", |_, _| {});
    for count in 1..=3 {
        guest.wait_for(&count.to_string());
    }
    guest.wait_for("RESETS OK");
    assert_eq!(guest.end().0.unwrap(), Outcome::PoweredOff);
}
