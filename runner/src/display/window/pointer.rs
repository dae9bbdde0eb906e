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
