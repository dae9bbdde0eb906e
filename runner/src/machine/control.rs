//! The machine as the control socket and the remote screens see it.

use super::board::Board;
use super::requests::Request;
use crate::bus::lock;
use crate::control::{Control, DiscError, DiscStatus, Event, RunState};
use crate::display::{Console, DisplayStatus, Handle};
use crate::input::InputEvent;
use crate::kvm::Pages;
use crate::video::{Frame, Scene};
use disk::{RawFile, ReadAt};
use std::fs::File;
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
        let mut pages = self.0.vm.written();
        pages.merge(&lock(&self.0.vga).take_written());
        pages
    }
    fn input(&self, events: &[InputEvent]) {
        self.0.input(events);
    }
    fn is_beeping(&self) -> bool {
        self.0.vm.speaker_sounds()
    }
    fn is_behind(&self) -> bool {
        self.0.is_behind()
    }
    fn leds(&self) -> u8 {
        self.0.leds()
    }
    fn has_absolute_pointer(&self) -> bool {
        self.0.has_absolute_pointer()
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
    fn has_absolute_pointer(&self) -> bool {
        self.0.has_absolute_pointer()
    }
    fn disc(&self) -> Option<DiscStatus> {
        let drive = self.0.ide.cdrom()?;
        Some(DiscStatus {
            inserted: drive.has_disc(),
            locked: drive.is_locked(),
        })
    }
    fn set_disc(&self, disc: Option<File>, force: bool) -> Result<(), DiscError> {
        let drive = self.0.ide.cdrom().ok_or(DiscError::NoDrive)?;
        let disc = disc.map(|file| RawFile::from_file(file, false)).transpose()?;
        if let Some(size) = disc.as_ref().map(ReadAt::size)
            && (size == 0 || !size.is_multiple_of(2048))
        {
            return Err(DiscError::NoDisc(size));
        }
        // As if the drive's button were pressed: a guest that has locked the tray is told, and opens it if it likes.
        if !force && drive.has_disc() && !drive.press_eject() {
            return Err(DiscError::Locked);
        }
        drive.set_disc(disc.map(|disc| Arc::new(disc) as Arc<dyn ReadAt>));
        Ok(())
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
