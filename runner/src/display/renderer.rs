//! Draws what has changed on the guest's screen, and nothing else.

use super::damage::{Damage, TILE_HEIGHT, absorb};
use crate::kvm::Pages;
use crate::video::{Frame, Scene};
use std::ops::Range;

/// The last picture, and what it was drawn from.
pub(super) struct Renderer {
    picture: Frame,
    /// Version of the scene; `None` if the picture may have nothing to do with the screen.
    version: Option<u64>,
}

impl Renderer {
    pub(super) fn new() -> Self {
        Renderer {
            picture: Frame::black(0, 0),
            version: None,
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
        if let Some((width, height)) = scene.linear_size() {
            let resized = self.resize(width, height);
            let all = new_version || resized;
            let mut damage = self.damage(resized);
            for rows in strips(height, |row| all || written.touches(&scene.row_bytes(row))) {
                if let Some(strip) = scene.draw_rows(rows.clone()) {
                    absorb(&mut self.picture, rows.start, &strip, &mut damage);
                }
            }
            return damage;
        }
        if !new_version && !scene.planes_bytes().iter().any(|bytes| written.touches(bytes)) {
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
    }
}
