//! Any sequence of port and memory accesses leaves a VGA that draws a picture of bounded size.
#![no_main]
use runner::device::{MemoryDevice, PortDevice, TestClock};
use runner::pci::PciFunction;
use runner::video::Vga;
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    // Making 16 MiB of memory for each input would cost more than the input.
    static VGA: RefCell<Vga> = RefCell::new(Vga::new(Arc::new(TestClock::default()), &[]).expect("memory"));
}

libfuzzer_sys::fuzz_target!(|steps: Vec<(u8, u16, u32)>| {
    VGA.with_borrow_mut(|vga| {
        vga.reset();
        for (step, place, value) in steps {
            match step % 7 {
                0 | 1 => PortDevice::write(vga, 0x3B0 + (place & 0x2F), 1 + (step >> 7), value),
                2 => {
                    PortDevice::write(vga, 0x1CE, 2, u32::from(place & 15));
                    PortDevice::write(vga, 0x1CF, 2, value);
                }
                3 => MemoryDevice::write(vga, u64::from(place) << 1, &value.to_le_bytes()),
                4 => MemoryDevice::read(vga, u64::from(place) << 1, &mut [0; 4]),
                5 => vga.write_memory(2, u64::from(place & 0xFFF), &value.to_le_bytes()),
                _ => {
                    PortDevice::read(vga, 0x3B0 + (place & 0x2F), 2);
                }
            }
        }
        let frame = vga.snapshot().render();
        assert!(frame.width <= 2560 && frame.height <= 1600);
        assert_eq!(frame.pixels.len(), (frame.width * frame.height) as usize);
    });
});
