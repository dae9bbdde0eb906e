//! The window's pixels: a picture of our own, and the part of it that the desktop has not been given yet.

use super::super::damage::Rect;
use softbuffer::{Context, Surface};
use std::num::NonZeroU32;
use std::sync::Arc;
use winit::event_loop::OwnedDisplayHandle;
use winit::window::Window;

/// More rectangles than this are given to the desktop as one.
const MANY: usize = 32;

/// What is on the window.
pub(super) struct Canvas {
    surface: Surface<OwnedDisplayHandle, Arc<Window>>,
    size: (u32, u32),
    pixels: Vec<u32>,
    /// What has changed since it was last given to the desktop.
    changed: Vec<Rect>,
    /// … and the time before that: buffers come in turns.
    before: Vec<Rect>,
}

impl Canvas {
    pub(super) fn new(display: OwnedDisplayHandle, window: Arc<Window>) -> Result<Self, String> {
        let context = Context::new(display).map_err(|error| error.to_string())?;
        let surface = Surface::new(&context, window).map_err(|error| error.to_string())?;
        Ok(Canvas {
            surface,
            size: (0, 0),
            pixels: Vec::new(),
            changed: Vec::new(),
            before: Vec::new(),
        })
    }

    /// Width and height in pixels.
    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The window has another size: all is black, and has to be drawn again.
    pub(super) fn resize(&mut self, width: u32, height: u32) -> Result<(), String> {
        let (Some(across), Some(down)) = (NonZeroU32::new(width), NonZeroU32::new(height)) else {
            self.size = (0, 0);
            self.pixels.clear();
            return Ok(());
        };
        self.surface.resize(across, down).map_err(|error| error.to_string())?;
        self.size = (width, height);
        self.pixels.clear();
        self.pixels.resize(width as usize * height as usize, 0);
        self.before.clear();
        self.touch(Rect::all(width, height));
        Ok(())
    }

    /// All pixels, row by row.
    pub(super) fn pixels(&mut self) -> &mut [u32] {
        &mut self.pixels
    }

    /// All is black.
    pub(super) fn clear(&mut self) {
        self.pixels.fill(0);
        self.touch(Rect::all(self.size.0, self.size.1));
    }

    /// Something was drawn there.
    pub(super) fn touch(&mut self, rect: Rect) {
        let rect = rect.intersection(&Rect::all(self.size.0, self.size.1));
        if rect.is_empty() {
            return;
        }
        self.changed.push(rect);
        if self.changed.len() > MANY {
            let whole = self.changed.iter().fold(rect, |all, rect| all.union(rect));
            self.changed = vec![whole];
        }
    }

    /// Whether there is something to give to the desktop.
    pub(super) fn is_waiting(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Gives the desktop what has changed; all of it if the desktop has lost what it had.
    pub(super) fn present(&mut self, lost: bool) -> Result<(), String> {
        let (width, height) = self.size;
        if width == 0 || !(lost || self.is_waiting()) {
            return Ok(());
        }
        let mut buffer = self.surface.buffer_mut().map_err(|error| error.to_string())?;
        let all = Rect::all(width, height);
        let stale: Vec<Rect> = match buffer.age() {
            _ if lost => vec![all],
            1 => self.changed.clone(),
            2 => self.changed.iter().chain(&self.before).copied().collect(),
            _ => vec![all],
        };
        for rect in &stale {
            for y in rect.y..rect.y + rect.height {
                let start = y as usize * width as usize + rect.x as usize;
                let row = start..start + rect.width as usize;
                if let (Some(to), Some(from)) = (buffer.get_mut(row.clone()), self.pixels.get(row)) {
                    to.copy_from_slice(from);
                }
            }
        }
        let changed = if lost { &stale } else { &self.changed };
        let damage: Vec<softbuffer::Rect> = changed.iter().filter_map(for_desktop).collect();
        buffer.present_with_damage(&damage).map_err(|error| error.to_string())?;
        self.before = std::mem::take(&mut self.changed);
        Ok(())
    }
}

fn for_desktop(rect: &Rect) -> Option<softbuffer::Rect> {
    Some(softbuffer::Rect {
        x: rect.x,
        y: rect.y,
        width: NonZeroU32::new(rect.width)?,
        height: NonZeroU32::new(rect.height)?,
    })
}
