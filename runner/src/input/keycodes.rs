//! Keys by name (QEMU's QKeyCode) and the scan codes they make.
//!
//! The table holds set 1 codes, the codes that PC software sees; `0xE0xx` stands for the two bytes E0 xx. Set 2
//! codes follow from it by the translation that every 8042 does (`super::translate`).
//! Sources: "Keyboard Scan Code Specification" (Microsoft, 2000); QEMU's QAPI reference for the names.

use super::translate;

/// Names of keys and their set 1 make codes, 0 for none. The first of several names of a code is the one for numbers.
#[rustfmt::skip]
const KEYS: &[(&str, u16)] = &[
    ("esc", 0x01), ("1", 0x02), ("2", 0x03), ("3", 0x04), ("4", 0x05), ("5", 0x06), ("6", 0x07), ("7", 0x08),
    ("8", 0x09), ("9", 0x0A), ("0", 0x0B), ("minus", 0x0C), ("equal", 0x0D), ("backspace", 0x0E),
    ("tab", 0x0F), ("q", 0x10), ("w", 0x11), ("e", 0x12), ("r", 0x13), ("t", 0x14), ("y", 0x15), ("u", 0x16),
    ("i", 0x17), ("o", 0x18), ("p", 0x19), ("bracket_left", 0x1A), ("bracket_right", 0x1B), ("ret", 0x1C),
    ("ctrl", 0x1D), ("a", 0x1E), ("s", 0x1F), ("d", 0x20), ("f", 0x21), ("g", 0x22), ("h", 0x23), ("j", 0x24),
    ("k", 0x25), ("l", 0x26), ("semicolon", 0x27), ("apostrophe", 0x28), ("grave_accent", 0x29),
    ("shift", 0x2A), ("backslash", 0x2B), ("z", 0x2C), ("x", 0x2D), ("c", 0x2E), ("v", 0x2F), ("b", 0x30),
    ("n", 0x31), ("m", 0x32), ("comma", 0x33), ("dot", 0x34), ("slash", 0x35), ("shift_r", 0x36),
    ("kp_multiply", 0x37), ("asterisk", 0x37), ("alt", 0x38), ("spc", 0x39), ("caps_lock", 0x3A),
    ("f1", 0x3B), ("f2", 0x3C), ("f3", 0x3D), ("f4", 0x3E), ("f5", 0x3F), ("f6", 0x40), ("f7", 0x41),
    ("f8", 0x42), ("f9", 0x43), ("f10", 0x44), ("num_lock", 0x45), ("scroll_lock", 0x46),
    ("kp_7", 0x47), ("kp_8", 0x48), ("kp_9", 0x49), ("kp_subtract", 0x4A), ("kp_4", 0x4B), ("kp_5", 0x4C),
    ("kp_6", 0x4D), ("kp_add", 0x4E), ("kp_1", 0x4F), ("kp_2", 0x50), ("kp_3", 0x51), ("kp_0", 0x52),
    ("kp_decimal", 0x53), ("less", 0x56), ("f11", 0x57), ("f12", 0x58), ("kp_equals", 0x59),
    ("f13", 0x5D), ("f14", 0x5E), ("f15", 0x5F),
    ("hiragana", 0x77), ("katakanahiragana", 0x70), ("ro", 0x73),
    ("henkan", 0x79), ("muhenkan", 0x7B), ("yen", 0x7D), ("kp_comma", 0x7E),
    ("audioprev", 0xE010), ("audionext", 0xE019), ("kp_enter", 0xE01C), ("ctrl_r", 0xE01D),
    ("audiomute", 0xE020), ("calculator", 0xE021), ("audioplay", 0xE022),
    ("audiostop", 0xE024), ("volumedown", 0xE02E), ("volumeup", 0xE030), ("ac_home", 0xE032),
    ("kp_divide", 0xE035), ("print", 0xE037), ("sysrq", 0xE037), ("alt_r", 0xE038),
    ("pause", 0xE046), ("home", 0xE047),
    ("up", 0xE048), ("pgup", 0xE049), ("left", 0xE04B), ("right", 0xE04D), ("end", 0xE04F), ("down", 0xE050),
    ("pgdn", 0xE051), ("insert", 0xE052), ("delete", 0xE053), ("meta_l", 0xE05B), ("meta_r", 0xE05C),
    ("compose", 0xE05D), ("menu", 0xE05D), ("power", 0xE05E), ("sleep", 0xE05F), ("wake", 0xE063),
    ("ac_bookmarks", 0xE066), ("ac_refresh", 0xE067), ("stop", 0xE068), ("ac_forward", 0xE069),
    ("ac_back", 0xE06A), ("computer", 0xE06B), ("mail", 0xE06C), ("mediaselect", 0xE06D),
    // A PC keyboard does not have these; QEMU knows the names and sends nothing.
    ("again", 0), ("copy", 0), ("cut", 0), ("find", 0), ("front", 0), ("help", 0), ("lang1", 0), ("lang2", 0),
    ("lf", 0), ("open", 0), ("paste", 0), ("props", 0), ("undo", 0), ("f16", 0), ("f17", 0), ("f18", 0),
    ("f19", 0), ("f20", 0), ("f21", 0), ("f22", 0), ("f23", 0), ("f24", 0), ("unmapped", 0),
];

/// The pause key: it has no code of its own in set 2 but a sequence, and nothing on release.
pub const PAUSE: u16 = 0xE046;
/// The print screen key, whose code depends on the shift, control and alt keys.
pub const PRINT: u16 = 0xE037;
/// What print screen sends while alt is down.
pub const SYSRQ: u16 = 0x54;

fn position(name: &str) -> Option<usize> {
    KEYS.iter().position(|(known, _)| *known == name)
}

/// The key's name as the table has it, if there is such a key.
pub fn find(name: &str) -> Option<&'static str> {
    position(name).and_then(|at| KEYS.get(at)).map(|(name, _)| *name)
}

/// The name of the key with a QEMU key number: the set 1 code, plus 0x80 if it is preceded by E0.
pub fn find_number(number: u16) -> Option<&'static str> {
    let code = if number & 0x80 == 0 {
        number
    } else {
        0xE000 | (number & 0x7F)
    };
    KEYS.iter()
        .find(|(_, other)| *other == code && code != 0)
        .map(|(name, _)| *name)
}

/// Set 1 make code of the key `name`; `0xE0xx` stands for two bytes. `None` if a PC keyboard has no such key.
pub fn set1(name: &str) -> Option<u16> {
    let code = position(name).and_then(|at| KEYS.get(at)).map(|(_, code)| *code);
    code.filter(|code| *code != 0)
}

/// Set 2 make code of the key with set 1 code `set1`; `0xE0xx` stands for two bytes. [`PAUSE`] and [`PRINT`] have
/// sequences of their own.
pub fn set2(set1: u16) -> u16 {
    let [prefix, code] = set1.to_be_bytes();
    u16::from_be_bytes([prefix, translate::to_set2(code)])
}
