//! The menu that is laid over the picture, and the questions: what is on them and what is chosen. No drawing.

use winit::keyboard::KeyCode;

/// What the person at the window wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Press these keys together, in the guest.
    Press(&'static [&'static str]),
    /// Type the text that was copied on this computer.
    Paste,
    /// The whole screen, or a window again.
    FullScreen,
    /// The other way of scaling.
    Scaling,
    /// Press the power button: the guest decides.
    PowerButton,
    /// Press the reset button.
    Reset,
    /// Cut the power.
    CutPower,
    /// Show another page.
    Open(Page),
    /// Back to the guest.
    Back,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Everything.
    Main,
    /// Keys that this computer would keep for itself.
    Keys,
    /// How to end the machine.
    Leave,
    /// Whether to reset it.
    Reset,
    /// A message to read.
    Notice,
}

/// An entry: a letter that chooses it, its text, what it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) letter: char,
    pub(super) text: &'static str,
    pub(super) command: Command,
}

const fn entry(letter: char, text: &'static str, command: Command) -> Entry {
    Entry { letter, text, command }
}

const MAIN: &[Entry] = &[
    entry('B', "Back to the machine", Command::Back),
    entry('D', "Ctrl+Alt+Del", Command::Press(&["ctrl", "alt", "delete"])),
    entry('K', "Other keys ...", Command::Open(Page::Keys)),
    entry('V', "Type the copied text", Command::Paste),
    entry('F', "Full screen / window", Command::FullScreen),
    entry('S', "Sharp / smooth picture", Command::Scaling),
    entry('Q', "Shut down or close ...", Command::Open(Page::Leave)),
    entry('R', "Reset ...", Command::Open(Page::Reset)),
];

const KEYS: &[Entry] = &[
    entry('T', "Alt+Tab", Command::Press(&["alt", "tab"])),
    entry('4', "Alt+F4", Command::Press(&["alt", "f4"])),
    entry('E', "Ctrl+Esc", Command::Press(&["ctrl", "esc"])),
    entry('W', "Windows key", Command::Press(&["meta_l"])),
    entry('P', "Print Screen", Command::Press(&["print"])),
    entry('C', "Right Ctrl", Command::Press(&["ctrl_r"])),
    entry('X', "Ctrl+Alt+Backspace", Command::Press(&["ctrl", "alt", "backspace"])),
    entry('1', "Ctrl+Alt+F1", Command::Press(&["ctrl", "alt", "f1"])),
    entry('2', "Ctrl+Alt+F2", Command::Press(&["ctrl", "alt", "f2"])),
    entry('7', "Ctrl+Alt+F7", Command::Press(&["ctrl", "alt", "f7"])),
    entry('B', "Back", Command::Open(Page::Main)),
];

const LEAVE: &[Entry] = &[
    entry('S', "Ask the system to shut down", Command::PowerButton),
    entry('C', "Cut the power: unsaved work is lost", Command::CutPower),
    entry('K', "Keep it running", Command::Back),
];

const RESET: &[Entry] = &[
    entry('K', "Keep it running", Command::Back),
    entry('R', "Reset: unsaved work is lost", Command::Reset),
];

const NOTICE: &[Entry] = &[entry('B', "Back to the machine", Command::Back)];

/// An open page.
#[derive(Clone, Debug)]
pub(super) struct Menu {
    pub(super) page: Page,
    /// What stands above the entries.
    pub(super) heading: Vec<String>,
    /// The entry that Enter chooses.
    pub(super) selected: usize,
}

/// What a key did to the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Nothing.
    Ignored,
    /// Another entry is selected.
    Moved,
    /// This was chosen.
    Chosen(Command),
}

impl Menu {
    pub(super) fn new(page: Page, heading: Vec<String>) -> Self {
        Menu {
            page,
            heading,
            selected: 0,
        }
    }

    pub(super) fn entries(&self) -> &'static [Entry] {
        match self.page {
            Page::Main => MAIN,
            Page::Keys => KEYS,
            Page::Leave => LEAVE,
            Page::Reset => RESET,
            Page::Notice => NOTICE,
        }
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, code: KeyCode) -> Reaction {
        let count = self.entries().len();
        match code {
            KeyCode::Escape => return Reaction::Chosen(Command::Back),
            KeyCode::ArrowDown | KeyCode::Tab => self.selected = (self.selected + 1) % count,
            KeyCode::ArrowUp => self.selected = (self.selected + count - 1) % count,
            KeyCode::Enter | KeyCode::NumpadEnter => return self.choose(self.selected),
            code => {
                let found = letter(code).and_then(|letter| by_letter(self.entries(), letter));
                return found.map_or(Reaction::Ignored, Reaction::Chosen);
            }
        }
        Reaction::Moved
    }

    /// The pointer is on an entry.
    pub(super) fn hover(&mut self, entry: usize) -> Reaction {
        if entry == self.selected || entry >= self.entries().len() {
            return Reaction::Ignored;
        }
        self.selected = entry;
        Reaction::Moved
    }

    /// An entry was clicked.
    pub(super) fn choose(&self, entry: usize) -> Reaction {
        let entry = self.entries().get(entry);
        entry.map_or(Reaction::Ignored, |entry| Reaction::Chosen(entry.command))
    }
}

/// What the menu's key together with `code` does, without opening the menu.
pub(super) fn chord(code: KeyCode) -> Option<Command> {
    match code {
        KeyCode::Delete => by_letter(MAIN, 'D'),
        code => letter(code).and_then(|letter| by_letter(MAIN, letter)),
    }
}

fn by_letter(entries: &[Entry], letter: char) -> Option<Command> {
    let entry = entries.iter().find(|entry| entry.letter == letter);
    entry.map(|entry| entry.command)
}

/// The letter or digit on a key of a US keyboard.
fn letter(code: KeyCode) -> Option<char> {
    let name = super::keys::name(code)?;
    let mut letters = name.chars();
    let letter = letters.next()?;
    (letters.next().is_none() && letter.is_ascii_alphanumeric()).then(|| letter.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_page_can_be_left_and_letters_are_clear() {
        for page in [Page::Main, Page::Keys, Page::Leave, Page::Reset, Page::Notice] {
            let menu = Menu::new(page, Vec::new());
            let letters: HashSet<char> = menu.entries().iter().map(|entry| entry.letter).collect();
            assert_eq!(letters.len(), menu.entries().len(), "{page:?}");
            let leads_back = |entry: &Entry| matches!(entry.command, Command::Back | Command::Open(Page::Main));
            assert!(menu.entries().iter().any(leads_back), "{page:?}");
        }
    }

    #[test]
    fn nothing_is_lost_by_a_stray_enter() {
        for page in [Page::Leave, Page::Reset] {
            let mut menu = Menu::new(page, Vec::new());
            let chosen = menu.key(KeyCode::Enter);
            assert!(
                !matches!(chosen, Reaction::Chosen(Command::CutPower | Command::Reset)),
                "{page:?}"
            );
        }
    }

    #[test]
    fn keys_move_and_choose() {
        let mut menu = Menu::new(Page::Main, Vec::new());
        assert_eq!(menu.key(KeyCode::ArrowUp), Reaction::Moved);
        assert_eq!(menu.key(KeyCode::Enter), Reaction::Chosen(Command::Open(Page::Reset)));
        assert_eq!(menu.key(KeyCode::KeyF), Reaction::Chosen(Command::FullScreen));
        assert_eq!(menu.key(KeyCode::F5), Reaction::Ignored);
        assert_eq!(chord(KeyCode::Delete), Some(Command::Press(&["ctrl", "alt", "delete"])));
    }
}
