//! Keys of clients that name characters (X keysyms) instead of keys: what a US keyboard would have pressed.

use crate::display::Viewer;
use crate::input::{Layout, keycodes};
use std::sync::LazyLock;

/// Keysyms of keys that make no character, and their QKeyCode names
/// (X Window System Protocol, appendix A; the names in `X11/keysymdef.h`).
#[rustfmt::skip]
const NAMED: &[(u32, &str)] = &[
    (0xFF08, "backspace"), (0xFF09, "tab"), (0xFE20, "tab"), (0xFF0D, "ret"), (0xFF13, "pause"),
    (0xFF14, "scroll_lock"), (0xFF15, "sysrq"), (0xFF1B, "esc"), (0xFF50, "home"), (0xFF51, "left"), (0xFF52, "up"),
    (0xFF53, "right"), (0xFF54, "down"), (0xFF55, "pgup"), (0xFF56, "pgdn"), (0xFF57, "end"), (0xFF61, "print"),
    (0xFF63, "insert"), (0xFF67, "compose"), (0xFF6B, "pause"), (0xFF7F, "num_lock"), (0xFFFF, "delete"),
    (0xFF80, "spc"), (0xFF89, "tab"), (0xFF8D, "kp_enter"),
    (0xFF95, "kp_7"), (0xFF96, "kp_4"), (0xFF97, "kp_8"), (0xFF98, "kp_6"), (0xFF99, "kp_2"), (0xFF9A, "kp_9"),
    (0xFF9B, "kp_3"), (0xFF9C, "kp_1"), (0xFF9D, "kp_5"), (0xFF9E, "kp_0"), (0xFF9F, "kp_decimal"),
    (0xFFAA, "kp_multiply"), (0xFFAB, "kp_add"), (0xFFAC, "kp_decimal"), (0xFFAD, "kp_subtract"),
    (0xFFAE, "kp_decimal"), (0xFFAF, "kp_divide"), (0xFFBD, "kp_equals"),
    (0xFFB0, "kp_0"), (0xFFB1, "kp_1"), (0xFFB2, "kp_2"), (0xFFB3, "kp_3"), (0xFFB4, "kp_4"), (0xFFB5, "kp_5"),
    (0xFFB6, "kp_6"), (0xFFB7, "kp_7"), (0xFFB8, "kp_8"), (0xFFB9, "kp_9"),
    (0xFFBE, "f1"), (0xFFBF, "f2"), (0xFFC0, "f3"), (0xFFC1, "f4"), (0xFFC2, "f5"), (0xFFC3, "f6"), (0xFFC4, "f7"),
    (0xFFC5, "f8"), (0xFFC6, "f9"), (0xFFC7, "f10"), (0xFFC8, "f11"), (0xFFC9, "f12"),
    (0xFFE1, "shift"), (0xFFE2, "shift_r"), (0xFFE3, "ctrl"), (0xFFE4, "ctrl_r"), (0xFFE5, "caps_lock"),
    (0xFFE7, "meta_l"), (0xFFE8, "meta_r"), (0xFFE9, "alt"), (0xFFEA, "alt_r"), (0xFFEB, "meta_l"), (0xFFEC, "meta_r"),
];

/// AltGr, with which the client's keyboard makes characters that have keys of their own on a US one.
const LEVEL_3_SHIFT: u32 = 0xFE03;

/// What is remembered of a client's keyboard.
#[derive(Debug, Default)]
pub(super) struct Keyboard {
    /// The guest's caps lock is on, as far as this client switched it.
    caps: bool,
    /// Shift keys that are held differently from what the client holds, until this key is released.
    bent: Option<Bent>,
    /// The chord that pastes was pressed, and the client has let go of none of its modifiers.
    pasting: bool,
}

#[derive(Clone, Copy, Debug)]
struct Bent {
    key: &'static str,
    /// The left shift key was pressed for it.
    pressed: bool,
    /// These shift keys were released for it.
    released: [Option<&'static str>; 2],
}

const SHIFTS: [&str; 2] = ["shift", "shift_r"];

/// Ctrl, Alt and Shift and this key make the guest's keyboard type what was copied on the client's side.
const PASTE: &str = "v";
const PASTE_MODIFIERS: [[&str; 2]; 3] = [["ctrl", "ctrl_r"], ["alt", "alt_r"], SHIFTS];

/// Whose business a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The guest's.
    Key,
    /// The clipboard is to be typed.
    Paste,
    /// It belongs to that wish, and to nobody.
    Rest,
}

/// A key, and whether the character needs shift; `None` for keys that make no character.
fn find(keysym: u32) -> Option<(&'static str, Option<bool>)> {
    if let Some((_, name)) = NAMED.iter().find(|(known, _)| *known == keysym) {
        return keycodes::find(name).map(|name| (name, None));
    }
    static LAYOUT: LazyLock<Layout> = LazyLock::new(Layout::default);
    let character = char::from_u32(keysym).filter(|character| (' '..='~').contains(character))?;
    let stroke = LAYOUT.keystroke(character)?;
    Some((stroke.key, Some(stroke.shift)))
}

impl Keyboard {
    /// Whose business a key is. After [`Meaning::Paste`], the modifiers that the client holds are no longer held in the
    /// guest.
    pub(super) fn meaning(&mut self, keysym: u32, code: Option<u16>, down: bool, viewer: &mut Viewer) -> Meaning {
        let by_code = code.and_then(keycodes::find_number);
        let name = by_code.or_else(|| find(keysym).map(|(name, _)| name)).unwrap_or("");
        if PASTE_MODIFIERS.as_flattened().contains(&name) {
            self.pasting = false;
        }
        if name != PASTE {
            return Meaning::Key;
        }
        if self.pasting {
            // The client's keyboard repeats it, and the guest must not see it without its modifiers.
            return Meaning::Rest;
        }
        let held = |keys: &[&str; 2]| keys.iter().any(|key| viewer.holds(key));
        if !down || !PASTE_MODIFIERS.iter().all(held) {
            return Meaning::Key;
        }
        self.pasting = true;
        self.straighten("", viewer);
        viewer.release_all();
        Meaning::Paste
    }

    /// A key by its scan code (set 1; 0x80 added to those behind E0). False if there is no such key.
    pub(super) fn code(&mut self, code: u16, down: bool, viewer: &mut Viewer) -> bool {
        // Some clients number print screen as it sounds with the alt key held.
        let code = if code == keycodes::SYSRQ { 0xB7 } else { code };
        let Some(name) = keycodes::find_number(code) else {
            return false;
        };
        viewer.key(name, down);
        true
    }

    /// A key by its keysym.
    pub(super) fn keysym(&mut self, keysym: u32, down: bool, viewer: &mut Viewer) {
        if keysym == LEVEL_3_SHIFT {
            return;
        }
        let Some((key, shift)) = find(keysym) else { return };
        if !down {
            viewer.key(key, false);
            self.straighten(key, viewer);
            return;
        }
        self.straighten("", viewer);
        if key == "caps_lock" && !viewer.holds(key) {
            self.caps = !self.caps;
        }
        // While a shortcut is pressed, the keys are what counts.
        let shortcut = ["ctrl", "ctrl_r", "alt", "alt_r", "meta_l"]
            .iter()
            .any(|key| viewer.holds(key));
        if let Some(shift) = shift.filter(|_| !shortcut) {
            let letter = key.len() == 1 && key.chars().all(|c| c.is_ascii_lowercase());
            self.bend(key, shift != (letter && self.caps), viewer);
        }
        viewer.key(key, true);
    }

    /// Makes the guest see shift held or not, as `key` needs it.
    fn bend(&mut self, key: &'static str, wanted: bool, viewer: &mut Viewer) {
        let released = SHIFTS.map(|shift| Some(shift).filter(|shift| viewer.holds(shift)));
        if wanted == released.iter().any(Option::is_some) {
            return;
        }
        if wanted {
            viewer.key("shift", true);
        } else {
            for shift in released.iter().flatten() {
                viewer.key(shift, false);
            }
        }
        self.bent = Some(Bent {
            key,
            pressed: wanted,
            released,
        });
    }

    /// Gives the shift keys back to the client, if they are bent for `key`, or (`""`) for any.
    fn straighten(&mut self, key: &str, viewer: &mut Viewer) {
        let Some(bent) = self.bent.take_if(|bent| key.is_empty() || bent.key == key) else {
            return;
        };
        if bent.pressed {
            viewer.key("shift", false);
        } else {
            for shift in bent.released.iter().flatten() {
                viewer.key(shift, true);
            }
        }
    }
}
