//! Keys and pointer of the host, for the guest or for the window.

use super::super::menu::{Page, Reaction, chord};
use super::super::pointer::{Grab, button};
use super::super::{keys, overlay};
use super::{App, HOST_KEY};
use winit::dpi::PhysicalPosition;
use winit::event::{ElementState, KeyEvent, MouseButton};
use winit::keyboard::{KeyCode, PhysicalKey};
use winit::window::CursorGrabMode;

impl App {
    /// Takes the pointer for the guest.
    pub(super) fn take_pointer(&mut self) {
        let Some(shown) = &self.shown else {
            return;
        };
        let window = &shown.window;
        let grab = if window.set_cursor_grab(CursorGrabMode::Locked).is_ok() {
            Grab::Locked
        } else if window.set_cursor_grab(CursorGrabMode::Confined).is_ok() {
            Grab::Confined {
                last: self.at,
                put: None,
            }
        } else {
            return;
        };
        self.grab = Some(grab);
        self.update_title();
        self.update_cursor();
    }

    /// Gives the pointer back.
    pub(super) fn free_pointer(&mut self) {
        if self.grab.take().is_some() {
            if let Some(shown) = &self.shown {
                // It cannot fail but if the desktop is gone.
                let _ = shown.window.set_cursor_grab(CursorGrabMode::None);
            }
            self.update_title();
            self.update_cursor();
        }
    }

    /// The guest draws a pointer of its own: over its picture there is no second one.
    pub(super) fn update_cursor(&self) {
        if let Some(shown) = &self.shown {
            let over = shown.view.covers(self.at.0, self.at.1) && self.viewer.has_absolute_pointer();
            shown
                .window
                .set_cursor_visible(self.menu.is_some() || !(self.grab.is_some() || over));
        }
    }

    pub(super) fn key(&mut self, event: &KeyEvent) {
        let PhysicalKey::Code(code) = event.physical_key else {
            return;
        };
        let down = event.state == ElementState::Pressed;
        if code == HOST_KEY {
            self.host_key(down);
            return;
        }
        if let Some(menu) = &mut self.menu {
            if down {
                let reaction = menu.key(code);
                self.react(reaction);
            }
            return;
        }
        // The guest's keyboard repeats keys itself.
        if event.repeat {
            return;
        }
        if down && let Some(used) = &mut self.host_key {
            *used = true;
            if let Some(command) = chord(code) {
                self.carry_out(command);
            }
            return;
        }
        // For keyboards without a right Ctrl key.
        if down && code == KeyCode::KeyM && self.viewer.holds("ctrl") && self.viewer.holds("alt") {
            self.show_menu(Page::Main);
            return;
        }
        if let Some(name) = keys::name(code) {
            self.viewer.key(name, down);
        }
    }

    /// Pressed alone, it frees the pointer, or opens and closes the menu.
    pub(super) fn host_key(&mut self, down: bool) {
        if down {
            self.host_key.get_or_insert(false);
        } else if self.host_key.take() == Some(false) {
            if self.grab.is_some() {
                self.free_pointer();
            } else if self.menu.is_some() {
                self.close_menu();
            } else {
                self.show_menu(Page::Main);
            }
        }
    }

    pub(super) fn react(&mut self, reaction: Reaction) {
        match reaction {
            Reaction::Ignored => {}
            Reaction::Moved => self.finish_drawing(),
            Reaction::Chosen(command) => self.carry_out(command),
        }
    }

    pub(super) fn moved(&mut self, x: f64, y: f64) {
        self.at = (x, y);
        let Some(shown) = &self.shown else {
            return;
        };
        if let Some(menu) = &mut self.menu {
            let entry = overlay::entry_at(menu, shown.canvas.size(), x, y);
            let reaction = entry.map_or(Reaction::Ignored, |entry| menu.hover(entry));
            self.react(reaction);
            return;
        }
        if let Some(grab) = &mut self.grab {
            let (way, put) = grab.moved((x, y), shown.canvas.size());
            if let Some((x, y)) = put {
                // If that fails, it stops at the window's edge.
                let _ = shown.window.set_cursor_position(PhysicalPosition::new(x, y));
            }
            let (dx, dy) = self.rests.steps(way);
            self.viewer.shift(dx, dy);
            return;
        }
        if self.viewer.has_absolute_pointer() {
            let (x, y) = shown.view.guest_place(x, y);
            self.viewer.point(x, y);
        }
        self.update_cursor();
    }

    pub(super) fn mouse_button(&mut self, which: MouseButton, down: bool) {
        let Some(shown) = &self.shown else {
            return;
        };
        if let Some(menu) = &self.menu {
            if down && which == MouseButton::Left {
                let entry = overlay::entry_at(menu, shown.canvas.size(), self.at.0, self.at.1);
                let reaction = entry.map_or(Reaction::Ignored, |entry| menu.choose(entry));
                self.react(reaction);
            }
            return;
        }
        if self.grab.is_none() && !self.viewer.has_absolute_pointer() {
            // The first click only takes the pointer.
            if down && shown.view.covers(self.at.0, self.at.1) {
                self.take_pointer();
            }
            return;
        }
        if let Some(name) = button(which) {
            self.viewer.button(name, down);
        }
    }

    pub(super) fn wheel(&mut self, notches: i32) {
        if self.menu.is_some() || !(self.grab.is_some() || self.viewer.has_absolute_pointer()) {
            return;
        }
        let name = if notches > 0 { "wheel-up" } else { "wheel-down" };
        for _ in 0..notches.unsigned_abs() {
            self.viewer.button(name, true);
            self.viewer.button(name, false);
        }
    }
}
