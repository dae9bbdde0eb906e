//! What happens in the window, and what is done about it.

use super::super::Viewer;
use super::super::damage::Rect;
use super::menu::{Command, Menu, Page, Reaction, chord};
use super::paste;
use super::pointer::{Grab, Rests, button};
use super::surface::Canvas;
use super::view::{Scaling, View};
use super::{Message, keys, overlay, scale};
use crate::config::WindowConfig;
use crate::control::Control;
use crate::video::Frame;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use winit::application::ApplicationHandler;
use winit::dpi::{PhysicalPosition, PhysicalSize};
use winit::event::{DeviceEvent, DeviceId, ElementState, KeyEvent, MouseButton, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow};
use winit::keyboard::{KeyCode, PhysicalKey};
use winit::platform::wayland::WindowAttributesExtWayland;
use winit::platform::x11::WindowAttributesExtX11;
use winit::window::{CursorGrabMode, Fullscreen, Window, WindowId};

/// The key that opens the menu, and that frees the pointer.
const HOST_KEY: KeyCode = KeyCode::ControlRight;
/// What the window shows before the guest has drawn anything: the size of a PC's text screen.
const FIRST_SIZE: (u32, u32) = (720, 400);

pub(super) struct App {
    name: String,
    config: WindowConfig,
    viewer: Viewer,
    /// A message about a new picture is under way.
    pending: Arc<AtomicBool>,
    control: Arc<dyn Control>,
    shown: Option<Shown>,
    frame: Arc<Frame>,
    scaling: Scaling,
    menu: Option<Menu>,
    rests: Rests,
    /// Where the pointer is in the window.
    at: (f64, f64),
    grab: Option<Grab>,
    /// The host key is down, and whether another key was pressed meanwhile.
    host_key: Option<bool>,
    /// When the guest was asked to shut down.
    asked: Option<Instant>,
    /// Why the window had to end.
    failure: Option<String>,
}

/// The window, once there is one.
struct Shown {
    window: Arc<Window>,
    canvas: Canvas,
    view: View,
    /// The size that the window was last asked to have: if it has another one, a person chose that.
    wanted: PhysicalSize<u32>,
}

impl App {
    pub(super) fn new(
        name: String,
        config: WindowConfig,
        viewer: Viewer,
        pending: Arc<AtomicBool>,
        control: Arc<dyn Control>,
    ) -> Self {
        App {
            name,
            config,
            viewer,
            pending,
            control,
            shown: None,
            frame: Arc::new(Frame::black(FIRST_SIZE.0, FIRST_SIZE.1)),
            scaling: Scaling::default(),
            menu: None,
            rests: Rests::default(),
            at: (0.0, 0.0),
            grab: None,
            host_key: None,
            asked: None,
            failure: None,
        }
    }

    /// Why the window had to end before the machine did, if so.
    pub(super) fn finish(self) -> Result<(), String> {
        self.failure.map_or(Ok(()), Err)
    }

    fn open(&self, events: &ActiveEventLoop) -> Result<Shown, String> {
        let wanted = natural_size(self.guest(), 1.0, None);
        let attributes = Window::default_attributes()
            .with_title(self.title())
            .with_inner_size(wanted);
        // Both: which of them counts is known to the library only.
        let attributes = WindowAttributesExtX11::with_name(attributes, &self.config.id, &self.config.id);
        let attributes = WindowAttributesExtWayland::with_name(attributes, &self.config.id, &self.config.id);
        let window = events.create_window(attributes).map_err(|error| error.to_string())?;
        let window = Arc::new(window);
        let mut canvas = Canvas::new(events.owned_display_handle(), window.clone())?;
        let size = window.inner_size();
        canvas.resize(size.width, size.height)?;
        let view = View::new((size.width, size.height), self.guest(), self.scaling);
        Ok(Shown {
            window,
            canvas,
            view,
            wanted,
        })
    }

    fn guest(&self) -> (u32, u32) {
        (self.frame.width, self.frame.height)
    }

    fn title(&self) -> String {
        let hint = match (self.grab.is_some(), &self.menu) {
            (true, _) => "Right Ctrl frees the pointer",
            (false, Some(_)) => "menu",
            (false, None) => "Right Ctrl: menu",
        };
        format!("{} \u{2014} {hint}", self.name)
    }

    fn update_title(&self) {
        if let Some(shown) = &self.shown {
            shown.window.set_title(&self.title());
        }
    }

    /// The guest has drawn something.
    fn take_picture(&mut self) {
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
    fn follow_guest(&mut self) {
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

    fn resized(&mut self, size: PhysicalSize<u32>) {
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
    fn lay_out(&mut self) {
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
    fn finish_drawing(&mut self) {
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

    fn present(&mut self, lost: bool) {
        if let Some(shown) = &mut self.shown
            && let Err(error) = shown.canvas.present(lost)
        {
            self.failure.get_or_insert(error);
        }
    }

    fn show_menu(&mut self, page: Page) {
        let mut heading = vec![self.name.clone()];
        if page == Page::Leave
            && let Some(asked) = self.asked
        {
            heading.push(format!(
                "It was asked to shut down {} s ago.",
                asked.elapsed().as_secs()
            ));
        }
        self.open_menu(Menu::new(page, heading));
    }

    fn notice(&mut self, text: &str) {
        self.open_menu(Menu::new(Page::Notice, wrap(text, 56)));
    }

    fn open_menu(&mut self, menu: Menu) {
        self.viewer.release_all();
        self.free_pointer();
        self.menu = Some(menu);
        self.update_title();
        self.update_cursor();
        self.lay_out();
    }

    fn close_menu(&mut self) {
        if self.menu.take().is_some() {
            self.update_title();
            self.update_cursor();
            self.lay_out();
        }
    }

    fn carry_out(&mut self, command: Command) {
        self.close_menu();
        match command {
            Command::Press(codes) => {
                for code in codes {
                    self.viewer.key(code, true);
                }
                self.viewer.release_all();
            }
            Command::Paste => self.paste(),
            Command::FullScreen => self.toggle_full_screen(),
            Command::Scaling => {
                self.scaling = match self.scaling {
                    Scaling::Sharp => Scaling::Smooth,
                    Scaling::Smooth => Scaling::Sharp,
                };
                self.lay_out();
            }
            Command::PowerButton => {
                self.asked.get_or_insert_with(Instant::now);
                self.control.power_button();
            }
            Command::Reset => {
                self.asked = None;
                self.control.reset();
            }
            Command::CutPower => self.control.quit(),
            Command::Open(page) => self.show_menu(page),
            Command::Back => {}
        }
    }

    fn paste(&mut self) {
        let typed = paste::copied().and_then(|text| self.viewer.type_text(&text).map_err(|error| error.to_string()));
        if let Err(problem) = typed {
            self.notice(&format!("Nothing was typed: {problem}"));
        }
    }

    fn toggle_full_screen(&self) {
        if let Some(shown) = &self.shown {
            let full = shown.window.fullscreen().is_some();
            shown
                .window
                .set_fullscreen((!full).then_some(Fullscreen::Borderless(None)));
        }
    }

    /// Takes the pointer for the guest.
    fn take_pointer(&mut self) {
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
    fn free_pointer(&mut self) {
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
    fn update_cursor(&self) {
        if let Some(shown) = &self.shown {
            let over = shown.view.covers(self.at.0, self.at.1) && self.viewer.has_absolute_pointer();
            shown
                .window
                .set_cursor_visible(self.menu.is_some() || !(self.grab.is_some() || over));
        }
    }

    fn key(&mut self, event: &KeyEvent) {
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
    fn host_key(&mut self, down: bool) {
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

    fn react(&mut self, reaction: Reaction) {
        match reaction {
            Reaction::Ignored => {}
            Reaction::Moved => self.finish_drawing(),
            Reaction::Chosen(command) => self.carry_out(command),
        }
    }

    fn moved(&mut self, x: f64, y: f64) {
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

    fn mouse_button(&mut self, which: MouseButton, down: bool) {
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

    fn wheel(&mut self, notches: i32) {
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

impl ApplicationHandler<Message> for App {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        events.set_control_flow(ControlFlow::Wait);
        if self.shown.is_some() {
            return;
        }
        match self.open(events) {
            Ok(shown) => {
                self.shown = Some(shown);
                self.lay_out();
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                events.exit();
            }
        }
    }

    fn user_event(&mut self, events: &ActiveEventLoop, message: Message) {
        match message {
            Message::Picture => self.take_picture(),
            Message::Ended => events.exit(),
            Message::Lost => {
                self.failure.get_or_insert_with(|| "the desktop went away".to_owned());
                events.exit();
            }
        }
    }

    fn window_event(&mut self, _: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested => self.show_menu(Page::Leave),
            WindowEvent::Resized(size) => self.resized(size),
            WindowEvent::RedrawRequested => {
                let waiting = self.shown.as_ref().is_some_and(|shown| shown.canvas.is_waiting());
                self.present(!waiting);
            }
            WindowEvent::KeyboardInput {
                event,
                is_synthetic: false,
                ..
            } => self.key(&event),
            WindowEvent::CursorMoved { position, .. } => self.moved(position.x, position.y),
            WindowEvent::MouseInput { state, button, .. } => {
                self.mouse_button(button, state == ElementState::Pressed);
            }
            WindowEvent::MouseWheel { delta, .. } => {
                let notches = self.rests.notches(delta);
                self.wheel(notches);
            }
            WindowEvent::Focused(false) => {
                self.viewer.release_all();
                self.host_key = None;
                self.free_pointer();
            }
            _ => {}
        }
    }

    fn device_event(&mut self, _: &ActiveEventLoop, _: DeviceId, event: DeviceEvent) {
        if let DeviceEvent::MouseMotion { delta } = event
            && self.grab == Some(Grab::Locked)
        {
            let (dx, dy) = self.rests.steps(delta);
            self.viewer.shift(dx, dy);
        }
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        if self.failure.is_some() {
            events.exit();
        }
    }
}

/// The guest's picture, by the whole number that the desktop's scale factor asks for, if that fits the screen.
fn natural_size(guest: (u32, u32), factor: f64, screen: Option<PhysicalSize<u32>>) -> PhysicalSize<u32> {
    let fits = |size: PhysicalSize<u32>| screen.is_none_or(|s| size.width <= s.width && size.height <= s.height);
    let by = |factor: u32| PhysicalSize::new(guest.0.saturating_mul(factor), guest.1.saturating_mul(factor));
    let factor = factor.floor().clamp(1.0, 8.0) as u32;
    let size = (1..=factor).rev().map(by).find(|size| fits(*size));
    size.unwrap_or_else(|| {
        let screen = screen.unwrap_or_else(|| by(1));
        let view = View::new((screen.width, screen.height), guest, Scaling::Sharp);
        PhysicalSize::new(view.place.width, view.place.height)
    })
}

/// Cuts a text into lines between words.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        if let Some(line) = lines.last_mut()
            && (line.is_empty() || line.chars().count() + word.chars().count() < columns)
        {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_gets_the_guests_size_if_the_screen_has_it() {
        let screen = Some(PhysicalSize::new(1920, 1080));
        assert_eq!(natural_size((640, 480), 1.0, screen), PhysicalSize::new(640, 480));
        assert_eq!(natural_size((640, 480), 2.5, screen), PhysicalSize::new(1280, 960));
        assert_eq!(natural_size((1024, 768), 2.0, screen), PhysicalSize::new(1024, 768));
        assert_eq!(natural_size((2560, 1600), 1.0, screen), PhysicalSize::new(1728, 1080));
    }

    #[test]
    fn long_messages_are_cut_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("", 8), [""]);
    }
}
