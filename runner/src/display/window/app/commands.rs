//! What a person asks for in the menu, and what is done about it.

use super::super::menu::{Command, Menu, Page};
use super::super::overlay::wrap;
use super::super::paste;
use super::super::view::Scaling;
use super::App;
use std::time::Instant;
use winit::window::Fullscreen;

impl App {
    pub(super) fn show_menu(&mut self, page: Page) {
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

    pub(super) fn notice(&mut self, text: &str) {
        self.open_menu(Menu::new(Page::Notice, wrap(text, 56)));
    }

    pub(super) fn open_menu(&mut self, menu: Menu) {
        self.viewer.release_all();
        self.free_pointer();
        self.menu = Some(menu);
        self.update_title();
        self.update_cursor();
        self.lay_out();
    }

    pub(super) fn close_menu(&mut self) {
        if self.menu.take().is_some() {
            self.update_title();
            self.update_cursor();
            self.lay_out();
        }
    }

    pub(super) fn carry_out(&mut self, command: Command) {
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

    pub(super) fn paste(&mut self) {
        let typed = paste::copied().and_then(|text| self.viewer.type_text(&text).map_err(|error| error.to_string()));
        if let Err(problem) = typed {
            self.notice(&format!("Nothing was typed: {problem}"));
        }
    }

    pub(super) fn toggle_full_screen(&self) {
        if let Some(shown) = &self.shown {
            let full = shown.window.fullscreen().is_some();
            shown
                .window
                .set_fullscreen((!full).then_some(Fullscreen::Borderless(None)));
        }
    }
}
