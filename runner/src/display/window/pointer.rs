//! Small movements of pointer and wheel, added up to whole steps; buttons by name.

use winit::event::{MouseButton, MouseScrollDelta};

/// Pixels of a touchpad's scrolling that are one notch of a wheel.
const NOTCH: f64 = 40.0;
/// Notches of one event that count.
const MANY: i32 = 16;

/// QMP's name of a button.
pub(super) fn button(button: MouseButton) -> Option<&'static str> {
    Some(match button {
        MouseButton::Left => "left",
        MouseButton::Middle => "middle",
        MouseButton::Right => "right",
        MouseButton::Back => "side",
        MouseButton::Forward => "extra",
        MouseButton::Other(_) => return None,
    })
}

/// How the guest has the host's pointer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Grab {
    /// It stands still, and the desktop says how it would have moved (Wayland).
    Locked,
    /// It cannot leave the window, and is put back into the middle before it reaches an edge (X11). Its movements are
    /// told by where it goes: those of the device itself come twice while a pointer is confined.
    Confined {
        /// Where it was last.
        last: (f64, f64),
        /// Where it was put, as long as it has not been seen there.
        put: Option<(f64, f64)>,
    },
}

impl Grab {
    /// The pointer is at a place of a window of this size: how it moved, and where it is to be put.
    pub(super) fn moved(&mut self, at: (f64, f64), window: (u32, u32)) -> ((f64, f64), Option<(f64, f64)>) {
        let Grab::Confined { last, put } = self else {
            return ((0.0, 0.0), None);
        };
        if *put == Some(at) {
            (*last, *put) = (at, None);
            return ((0.0, 0.0), None);
        }
        let way = (at.0 - last.0, at.1 - last.1);
        *last = at;
        let middle = (f64::from(window.0 / 2), f64::from(window.1 / 2));
        let far = |at: f64, middle: f64| (at - middle).abs() > middle / 2.0;
        if put.is_none() && (far(at.0, middle.0) || far(at.1, middle.1)) {
            *put = Some(middle);
            return (way, *put);
        }
        (way, None)
    }
}

/// What is left of movements that were no whole step.
#[derive(Debug, Default)]
pub(super) struct Rests {
    x: f64,
    y: f64,
    wheel: f64,
}

impl Rests {
    /// Whole steps of a movement.
    pub(super) fn steps(&mut self, (dx, dy): (f64, f64)) -> (i32, i32) {
        (whole(&mut self.x, dx), whole(&mut self.y, dy))
    }

    /// Notches of the wheel; positive is up, away from the person.
    pub(super) fn notches(&mut self, delta: MouseScrollDelta) -> i32 {
        let notches = match delta {
            MouseScrollDelta::LineDelta(_, lines) => f64::from(lines),
            MouseScrollDelta::PixelDelta(place) => place.y / NOTCH,
        };
        whole(&mut self.wheel, notches).clamp(-MANY, MANY)
    }
}

fn whole(rest: &mut f64, more: f64) -> i32 {
    let sum = *rest + more;
    if !sum.is_finite() {
        return 0;
    }
    let steps = sum.trunc();
    *rest = sum - steps;
    steps as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confined_pointer_is_put_back_and_loses_no_movement() {
        let mut grab = Grab::Confined {
            last: (100.0, 100.0),
            put: None,
        };
        let mut to = |x, y| grab.moved((x, y), (200, 200));
        assert_eq!(to(105.0, 97.0), ((5.0, -3.0), None));
        assert_eq!(to(160.0, 97.0), ((55.0, 0.0), Some((100.0, 100.0))));
        assert_eq!(to(170.0, 97.0), ((10.0, 0.0), None), "this was on its way already");
        assert_eq!(to(100.0, 100.0), ((0.0, 0.0), None), "this was our own doing");
        assert_eq!(to(101.0, 100.0), ((1.0, 0.0), None));
    }

    #[test]
    fn parts_of_steps_are_added_up() {
        let mut rests = Rests::default();
        assert_eq!(rests.steps((0.4, -1.5)), (0, -1));
        assert_eq!(rests.steps((0.4, -0.6)), (0, -1));
        assert_eq!(rests.steps((0.4, f64::NAN)), (1, 0));
        let pixels = |y| MouseScrollDelta::PixelDelta(winit::dpi::PhysicalPosition::new(0.0, y));
        assert_eq!(rests.notches(pixels(30.0)), 0);
        assert_eq!(rests.notches(pixels(30.0)), 1);
        assert_eq!(
            rests.notches(MouseScrollDelta::LineDelta(0.0, -2.0)),
            -1,
            "half a notch was left"
        );
    }
}
