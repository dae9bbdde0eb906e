//! The machine as the control socket sees it.

use super::board::Board;
use super::requests::Request;
use crate::control::{Control, Event, RunState};
use crate::input::InputEvent;
use crate::video::Frame;
use std::sync::Arc;

/// A handle to the running machine.
pub(super) struct Remote(pub(super) Arc<Board>);

impl Control for Remote {
    fn state(&self) -> RunState {
        self.0.state()
    }
    fn screenshot(&self) -> Frame {
        self.0.screenshot()
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
