//! Any sequence of port and memory accesses leaves a Cirrus that draws a picture of bounded size, and whose blitter
//! writes to no memory but its own.
#![no_main]
use runner::device::{MemoryDevice, PortDevice, TestClock};
use runner::pci::PciFunction;
use runner::video::Vga;
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    static VGA: RefCell<Vga> = RefCell::new(Vga::cirrus(Arc::new(TestClock::default()), &[]).expect("memory"));
}

libfuzzer_sys::fuzz_target!(|steps: Vec<(u8, u32, u32)>| {
    VGA.with_borrow_mut(|vga| {
        vga.reset();
        // Blits may be as large as the chip's: some tens of milliseconds. Not a thousand of them.
        let mut blits = 0;
        for (step, place, value) in steps {
            let port = u16::try_from(place & 0x2F).unwrap_or(0);
            match step % 9 {
                0 => PortDevice::write(vga, 0x3B0 + port, 1 + (step >> 7), value),
                1 => {
                    // An extended register: index and value.
                    let index = [0x3C4, 0x3CE, 0x3D4][usize::from(step >> 4) % 3];
                    let starts = place & 0x3F == 0x31 || place & 0x3F == 0x2A;
                    blits += u32::from(starts);
                    if !starts || blits < 4 {
                        PortDevice::write(vga, index, 2, place & 0x3F | value << 8);
                    }
                }
                2 => MemoryDevice::write(vga, u64::from(place & 0x1_FFFF), &value.to_le_bytes()),
                3 => MemoryDevice::read(vga, u64::from(place & 0x1_FFFF), &mut [0; 4]),
                4 => vga.write_memory(0, u64::from(place & 0x1FF_FFFF), &value.to_le_bytes()),
                5 => vga.read_memory(0, u64::from(place & 0x1FF_FFFF), &mut [0; 4]),
                6 => {
                    blits += 1;
                    if blits < 4 {
                        vga.write_memory(1, u64::from(place & 0x1FF), &value.to_le_bytes()[..1]);
                    }
                }
                7 => vga.read_memory(1, u64::from(place & 0x1FF), &mut [0; 4]),
                _ => drop(PortDevice::read(vga, 0x3B0 + port, 2)),
            }
        }
        let frame = vga.snapshot().render();
        assert!(frame.width <= 2560 && frame.height <= 1600);
        assert_eq!(frame.pixels.len(), (frame.width * frame.height) as usize);
        let _ = (vga.has_moved(), vga.window());
    });
});
