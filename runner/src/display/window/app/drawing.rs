//! The guest's picture in the window: taken, laid out, presented.

use super::super::view::{View, natural_size};
use super::super::{overlay, scale};
use super::App;
use crate::display::damage::Rect;
use std::sync::atomic::Ordering;
use winit::dpi::PhysicalSize;

impl App {
    /// The guest has drawn something.
    pub(super) fn take_picture(&mut self) {
        self.pending.store(false, Ordering::SeqCst);
        if self.grab.is_some() && self.viewer.has_absolute_pointer() {
            self.free_pointer();
        }
        let Some(update) = self.viewer.take() else {
            return;
        };
        let before = self.guest();
        self.frame = update.frame;
        if self.frame.width == 0 || self.frame.height == 0 {
            return;
        }
        if before != self.guest() {
            self.follow_guest();
            self.lay_out();
            return;
        }
        let Some(shown) = &mut self.shown else {
            return;
        };
        for rect in update.damage.rects() {
            let area = shown.view.shown(&rect);
            scale::draw(shown.canvas.pixels(), &shown.view, &self.frame, &area);
            shown.canvas.touch(area);
        }
        self.finish_drawing();
    }

    /// The guest's screen has another size: so gets the window, unless a person chose its size.
    pub(super) fn follow_guest(&mut self) {
        let guest = self.guest();
        let Some(shown) = &mut self.shown else {
            return;
        };
        let window = &shown.window;
        let chosen = window.fullscreen().is_some() || window.is_maximized() || window.inner_size() != shown.wanted;
        if chosen {
            return;
        }
        let monitor = window.current_monitor().map(|monitor| monitor.size());
        shown.wanted = natural_size(guest, window.scale_factor(), monitor);
        if let Some(size) = window.request_inner_size(shown.wanted) {
            self.resized(size);
        }
    }

    pub(super) fn resized(&mut self, size: PhysicalSize<u32>) {
        let Some(shown) = &mut self.shown else {
            return;
        };
        if shown.canvas.size() == (size.width, size.height) {
            return;
        }
        if let Err(error) = shown.canvas.resize(size.width, size.height) {
            self.failure.get_or_insert(error);
            return;
        }
        self.lay_out();
    }

    /// Draws all of the window anew.
    pub(super) fn lay_out(&mut self) {
        let guest = self.guest();
        let Some(shown) = &mut self.shown else {
            return;
        };
        let (width, height) = shown.canvas.size();
        shown.view = View::new((width, height), guest, self.scaling);
        shown.canvas.clear();
        let all = Rect::all(width, height);
        scale::draw(shown.canvas.pixels(), &shown.view, &self.frame, &all);
        self.finish_drawing();
    }

    /// Lays the menu over what was drawn, and has it shown.
    pub(super) fn finish_drawing(&mut self) {
        let Some(shown) = &mut self.shown else {
            return;
        };
        if let Some(menu) = &self.menu {
            let size = shown.canvas.size();
            let area = overlay::draw(shown.canvas.pixels(), size, menu);
            shown.canvas.touch(area);
        }
        if shown.canvas.is_waiting() {
            shown.window.request_redraw();
        }
    }

    pub(super) fn present(&mut self, lost: bool) {
        if let Some(shown) = &mut self.shown
            && let Err(error) = shown.canvas.present(lost)
        {
            self.failure.get_or_insert(error);
        }
    }
}
