//! What happens in the window, and what is done about it.

mod commands;
mod drawing;
mod input;

use super::super::Viewer;
use super::Message;
use super::menu::{Menu, Page};
use super::pointer::{Grab, Rests};
use super::surface::Canvas;
use super::view::{Scaling, View, natural_size};
use crate::config::WindowConfig;
use crate::control::Control;
use crate::video::Frame;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use winit::application::ApplicationHandler;
use winit::dpi::PhysicalSize;
use winit::event::{DeviceEvent, DeviceId, ElementState, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow};
use winit::keyboard::KeyCode;
use winit::platform::wayland::WindowAttributesExtWayland;
use winit::platform::x11::WindowAttributesExtX11;
use winit::window::{Window, WindowId};

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
