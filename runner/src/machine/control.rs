//! The machine as the control socket and the remote screens see it.

use super::board::Board;
use super::requests::Request;
use crate::bus::lock;
use crate::control::{Control, Event, RunState};
use crate::display::{Console, DisplayStatus, Handle};
use crate::input::InputEvent;
use crate::kvm::Pages;
use crate::video::{Frame, Scene};
use std::sync::Arc;

/// A handle to the running machine, and to its remote screens.
pub(super) struct Remote(pub(super) Arc<Board>, pub(super) Vec<Handle>);

/// The machine's screen, keyboard and mouse.
pub(super) struct Front(pub(super) Arc<Board>);

impl Console for Front {
    fn scene(&self) -> Scene {
        lock(&self.0.vga).scene()
    }
    fn written(&self) -> Pages {
        self.0.vm.written()
    }
    fn input(&self, events: &[InputEvent]) {
        self.0.input(events);
    }
}

impl Control for Remote {
    fn state(&self) -> RunState {
        self.0.state()
    }
    fn screenshot(&self) -> Frame {
        self.0.screenshot()
    }
    fn displays(&self) -> Vec<DisplayStatus> {
        self.1.iter().map(Handle::status).collect()
    }
    fn input(&self, events: &[InputEvent]) {
        self.0.input(events);
    }
    fn power_button(&self) {
        self.0.power_button();
        self.0.events.emit(Event::Powerdown);
    }
    fn reset(&self) {
        self.0.requests.ask(Request::Reset { guest: false });
    }
    fn pause(&self) {
        self.0.pause();
    }
    fn resume(&self) {
        self.0.resume();
    }
    fn quit(&self) {
        self.0.requests.ask(Request::Quit);
    }
}
