//! What viewers hold pressed, and how places become movements for a mouse that knows only those.

use crate::input::InputEvent;

/// Keys and buttons that one viewer holds down.
#[derive(Debug, Default)]
pub(super) struct Hands {
    keys: Vec<&'static str>,
    buttons: Vec<&'static str>,
}

fn key(code: &str, down: bool) -> InputEvent {
    InputEvent::Key {
        code: code.to_owned(),
        down,
    }
}

fn button(name: &str, down: bool) -> InputEvent {
    InputEvent::Button {
        name: name.to_owned(),
        down,
    }
}

impl Hands {
    /// A key went down or up. One that is down already tells nothing new: the guest's keyboard repeats by itself.
    pub(super) fn key(&mut self, code: &'static str, down: bool) -> Vec<InputEvent> {
        if self.holds(code) == down {
            return Vec::new();
        }
        if down {
            self.keys.push(code);
        } else {
            self.keys.retain(|other| *other != code);
        }
        vec![key(code, down)]
    }

    pub(super) fn holds(&self, code: &str) -> bool {
        self.keys.contains(&code)
    }

    pub(super) fn button(&mut self, name: &'static str, down: bool) -> Vec<InputEvent> {
        let held = self.buttons.contains(&name);
        if held == down {
            return Vec::new();
        }
        if down {
            self.buttons.push(name);
        } else {
            self.buttons.retain(|other| *other != name);
        }
        vec![button(name, down)]
    }

    pub(super) fn release_all(&mut self) -> Vec<InputEvent> {
        let keys = self.keys.drain(..).rev().map(|code| key(code, false));
        let buttons = self.buttons.drain(..).map(|name| button(name, false));
        keys.chain(buttons).collect()
    }
}

/// Where the guest's pointer should be, in pixels.
#[derive(Debug, Default)]
pub(super) struct Pointer {
    at: Option<(i32, i32)>,
}

impl Pointer {
    /// The movement to a place (0–65535 each way) of a screen of this size. At an edge it is longer than needed: the
    /// guest stops its pointer there, so that both agree again about where it is.
    pub(super) fn move_to(&mut self, x: u16, y: u16, width: u32, height: u32) -> Option<InputEvent> {
        let (last_x, last_y) = (span(width), span(height));
        let to = (pixel(x, last_x), pixel(y, last_y));
        let from = self.at.replace(to)?;
        if from == to {
            return None;
        }
        let (dx, dy) = (way(from.0, to.0, last_x), way(from.1, to.1, last_y));
        Some(InputEvent::Move { dx, dy })
    }
}

/// The last pixel of so many.
fn span(pixels: u32) -> i32 {
    i32::try_from(pixels.max(1) - 1).unwrap_or(i32::MAX)
}

fn pixel(place: u16, last: i32) -> i32 {
    let exact = (i64::from(place) * i64::from(last) + 32767) / 65535;
    i32::try_from(exact).unwrap_or(last)
}

fn way(from: i32, to: i32, last: i32) -> i32 {
    let plain = to.saturating_sub(from);
    match to {
        _ if plain == 0 => 0,
        0 => plain.saturating_sub(last),
        _ if to == last => plain.saturating_add(last),
        _ => plain,
    }
}

/// The place (0–65535) of pixel number `pixel` of `pixels`.
pub(super) fn place(pixel: u32, pixels: u32) -> u16 {
    let last = u64::from(pixels.max(2) - 1);
    let exact = (u64::from(pixel) * 65535 + last / 2) / last;
    u16::try_from(exact).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_pixel_survives_the_way_through_places(pixels in 1..2561u32, at in any::<u32>()) {
            let at = at % pixels;
            prop_assert_eq!(pixel(place(at, pixels), span(pixels)), i32::try_from(at).unwrap());
        }
    }

    #[test]
    fn movements_are_differences_and_edges_are_hit() {
        let mut pointer = Pointer::default();
        let mut to = |x, y| pointer.move_to(place(x, 640), place(y, 480), 640, 480);
        assert_eq!(to(100, 100), None, "where it is, nobody knows");
        assert_eq!(to(103, 98), Some(InputEvent::Move { dx: 3, dy: -2 }));
        assert_eq!(to(103, 98), None);
        assert_eq!(to(0, 98), Some(InputEvent::Move { dx: -742, dy: 0 }));
        assert_eq!(to(0, 479), Some(InputEvent::Move { dx: 0, dy: 860 }));
    }

    #[test]
    fn what_is_held_is_released_once() {
        let mut hands = Hands::default();
        assert_eq!(hands.key("a", false), []);
        assert_eq!(hands.key("shift", true).len(), 1);
        assert_eq!(hands.key("a", true).len(), 1);
        assert_eq!(hands.button("left", true).len(), 1);
        assert_eq!(hands.button("left", true), []);
        assert_eq!(
            hands.release_all(),
            [key("a", false), key("shift", false), button("left", false)]
        );
        assert_eq!(hands.release_all(), []);
    }
}
