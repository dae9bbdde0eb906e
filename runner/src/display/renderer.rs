//! Draws what has changed on the guest's screen, and nothing else.

use super::damage::{Damage, TILE_HEIGHT, absorb};
use crate::kvm::Pages;
use crate::video::{Cursor, Frame, Scene};
use std::ops::Range;

/// The last picture, and what it was drawn from.
pub(super) struct Renderer {
    picture: Frame,
    /// Version of the scene; `None` if the picture may have nothing to do with the screen.
    version: Option<u64>,
    /// The hardware cursor in it.
    cursor: Option<Cursor>,
}

impl Renderer {
    pub(super) fn new() -> Self {
        Renderer {
            picture: Frame::black(0, 0),
            version: None,
            cursor: None,
        }
    }

    /// The picture as it was last drawn.
    pub(super) fn picture(&self) -> &Frame {
        &self.picture
    }

    /// Forgets what is known: everything is drawn next time.
    pub(super) fn forget(&mut self) {
        self.version = None;
    }

    /// Draws the parts of `scene` that can have changed, given the pages of video memory that the guest `written` to
    /// since the last call. They must have been asked for before the scene. Gives what did change.
    pub(super) fn draw(&mut self, scene: &Scene, written: &Pages) -> Damage {
        let new_version = self.version.replace(scene.version()) != Some(scene.version());
        let cursors = [
            std::mem::replace(&mut self.cursor, scene.cursor().cloned()),
            scene.cursor().cloned(),
        ];
        let cursor_changed = cursors[0] != cursors[1];
        let under_cursor = |row: u32| {
            cursors
                .iter()
                .flatten()
                .any(|cursor| cursor.rows().contains(&row.into()))
        };
        if let Some((width, height)) = scene.linear_size() {
            let resized = self.resize(width, height);
            let all = new_version || resized;
            let mut damage = self.damage(resized);
            let memory_changed = |row: u32| scene.row_memory(row).iter().any(|bytes| written.touches(bytes));
            let changed = |row: u32| all || memory_changed(row) || cursor_changed && under_cursor(row);
            for rows in strips(height, changed) {
                if let Some(strip) = scene.draw_rows(rows.clone()) {
                    absorb(&mut self.picture, rows.start, &strip, &mut damage);
                }
            }
            return damage;
        }
        if !new_version && !scene.planes_memory().iter().any(|bytes| written.touches(bytes)) {
            return self.damage(false);
        }
        let frame = scene.snapshot().render();
        let resized = self.resize(frame.width, frame.height);
        let mut damage = self.damage(resized);
        absorb(&mut self.picture, 0, &frame, &mut damage);
        damage
    }

    fn resize(&mut self, width: u32, height: u32) -> bool {
        let changes = (self.picture.width, self.picture.height) != (width, height);
        if changes {
            self.picture = Frame::black(width, height);
        }
        changes
    }

    fn damage(&self, all: bool) -> Damage {
        let (width, height) = (self.picture.width, self.picture.height);
        if all {
            Damage::all(width, height)
        } else {
            Damage::none(width, height)
        }
    }
}

/// Rows that are drawn together: runs of tile rows of which `changed` picks a row.
fn strips(height: u32, changed: impl Fn(u32) -> bool) -> Vec<Range<u32>> {
    let mut strips: Vec<Range<u32>> = Vec::new();
    for start in (0..height).step_by(TILE_HEIGHT as usize) {
        let end = start.saturating_add(TILE_HEIGHT).min(height);
        if !(start..end).any(&changed) {
            continue;
        }
        match strips.last_mut().filter(|last| last.end == start) {
            Some(last) => last.end = end,
            None => strips.push(start..end),
        }
    }
    strips
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{MemoryDevice, PortDevice, TestClock};
    use crate::pci::PciFunction;
    use crate::video::Vga;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn vbe(vga: &mut Vga, index: u16, value: u16) {
        PortDevice::write(vga, 0x1CE, 2, index.into());
        PortDevice::write(vga, 0x1CF, 2, value.into());
    }

    fn set_mode(vga: &mut Vga, width: u16, height: u16, bits: u16) {
        for (index, value) in [(4, 0), (1, width), (2, height), (3, bits), (4, 0x41)] {
            vbe(vga, index, value);
        }
        // The attribute controller shows the screen.
        PortDevice::read(vga, 0x3DA, 1);
        PortDevice::write(vga, 0x3C0, 1, 0x20);
    }

    proptest! {
        /// Whatever a guest writes, by mapped memory or not, the picture is the one that is drawn from scratch.
        #[test]
        fn the_picture_is_always_the_whole_one(
            steps in proptest::collection::vec((0..6u8, any::<u16>(), any::<u32>()), 1..40)
        ) {
            let mut vga = Vga::new(Arc::new(TestClock::default()), &[]).unwrap();
            let mut renderer = Renderer::new();
            let mut before = Frame::black(0, 0);
            for (step, place, value) in steps {
                let mut written = Pages::none();
                match step {
                    0 => set_mode(&mut vga, 64 + place % 512, 16 + (value % 300) as u16, [4, 8, 15, 16, 24, 32][(value % 6) as usize]),
                    1 => {
                        let at = usize::from(place) * 8;
                        vga.memory().write(at, &value.to_le_bytes());
                        written = Pages::covering(at..at + 4);
                    }
                    2 => MemoryDevice::write(&mut vga, u64::from(place), &value.to_le_bytes()),
                    3 => vbe(&mut vga, 8 + place % 2, (value % 64) as u16),
                    4 => vbe(&mut vga, 4, 0),
                    _ => PortDevice::write(&mut vga, 0x3C0 + (place & 0x1F), 2, value),
                }
                written.merge(&vga.take_written());
                let scene = vga.scene();
                let damage = renderer.draw(&scene, &written);
                let whole = scene.snapshot().render();
                prop_assert_eq!(renderer.picture(), &whole);
                if (before.width, before.height) == (whole.width, whole.height) {
                    // What changed lies in the damage, and nothing else is in it.
                    let mut expected = Damage::none(whole.width, whole.height);
                    absorb(&mut before, 0, &whole, &mut expected);
                    prop_assert_eq!(damage, expected);
                }
                before = whole;
            }
        }

        /// The same with a blitter and a hardware cursor.
        #[test]
        fn the_picture_of_a_cirrus_is_the_whole_one(
            steps in proptest::collection::vec((0..8u8, any::<u16>(), any::<u32>()), 1..40)
        ) {
            let mut card = Vga::cirrus(Arc::new(TestClock::default()), &[]).unwrap();
            let out = |card: &mut Vga, writes: &[(u16, u16)]| {
                for (port, value) in writes {
                    PortDevice::write(card, *port, 2, u32::from(*value));
                }
            };
            PortDevice::write(&mut card, 0x3C2, 1, 1);
            // 256 by 64 pixels, rows of 512 bytes; hardly two colours are alike.
            out(&mut card, &[(0x3C4, 0x0107), (0x3CE, 0x0506), (0x3CE, 0x4005), (0x3D4, 0x1F01), (0x3D4, 0x4013), (0x3D4, 0x3F12)]);
            PortDevice::write(&mut card, 0x3C0, 1, 0x20);
            for part in 0..3 * 256 {
                PortDevice::write(&mut card, 0x3C9, 1, (part * 5 / 3) & 0x3F);
            }
            let mut renderer = Renderer::new();
            let mut before = Frame::black(0, 0);
            for (step, place, value) in steps {
                let mut written = Pages::none();
                let [low, high] = place.to_le_bytes();
                match step {
                    0 => {
                        let at = usize::from(place) / 2;
                        card.memory().write(at, &value.to_le_bytes());
                        written = Pages::covering(at..at + 4);
                    }
                    1 => {
                        // A pattern of the cursor, mapped or not.
                        let at = (4 << 20) - (16 << 10) + usize::from(place) % 1024;
                        card.memory().write(at, &value.to_le_bytes());
                        written = Pages::covering(at..at + 4);
                    }
                    2 => card.write_memory(0, u64::from(place) / 2, &value.to_le_bytes()),
                    3 => MemoryDevice::write(&mut card, u64::from(place) / 2, &value.to_le_bytes()),
                    4 => out(&mut card, &[(0x3C4, u16::from(high & 0x1F) << 8 | 0x10), (0x3C4, u16::from(low & 0x0F) << 8 | 0x11)]),
                    5 => out(&mut card, &[(0x3C4, (place & 0x0500) | 0x12)]),
                    6 => out(&mut card, &[
                        (0x3CE, u16::from(low) << 8 | 0x28), (0x3CE, u16::from(high & 0x3F) << 8 | 0x29),
                        (0x3CE, 0x1020), (0x3CE, 0x0522), (0x3CE, 0x0225), (0x3CE, 0xC030), (0x3CE, 0x0D32), (0x3CE, 0x0433),
                        (0x3CE, (value & 0xFF00) as u16 | 0x01), (0x3CE, 0x0231),
                    ]),
                    _ => out(&mut card, &[(0x3D4, (value & 0x0300) as u16 | 0x0C)]),
                }
                written.merge(&card.take_written());
                let scene = card.scene();
                let damage = renderer.draw(&scene, &written);
                let whole = scene.snapshot().render();
                prop_assert_eq!((whole.width, whole.height), (256, 64));
                prop_assert_eq!(renderer.picture(), &whole);
                if before.width == whole.width {
                    let mut expected = Damage::none(whole.width, whole.height);
                    absorb(&mut before, 0, &whole, &mut expected);
                    prop_assert_eq!(damage, expected);
                }
                before = whole;
            }
        }
    }
}
