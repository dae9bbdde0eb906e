//! Bus-master DMA with interrupts, driven by a boot sector on a real virtual processor.

#[allow(dead_code)]
mod common;

use common::{Guest, sector};
use runner::Outcome;
use std::os::unix::fs::FileExt;

#[test]
fn a_boot_sector_reads_and_writes_by_bus_master_dma() {
    let pattern: Vec<u8> = (0..3 * 512).map(|at| (at * 7 % 251) as u8).collect();
    let guest = Guest::boot("dma", |image, _| image.write_all_at(&pattern, 512).unwrap());
    guest.wait_for("DMA OK");
    let (result, image, _folder) = guest.end();
    assert_eq!(result.unwrap(), Outcome::PoweredOff);
    let complement: Vec<u8> = pattern.iter().map(|byte| !byte).collect();
    for (number, expected) in (10..).zip(complement.chunks(512)) {
        assert_eq!(sector(&image, number), expected);
    }
    assert_eq!(sector(&image, 13), [0; 512]);
}
