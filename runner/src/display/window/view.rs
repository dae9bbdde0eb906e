//! Where the guest's picture lies in the window, and which pixel of it is under the pointer.

use super::super::damage::Rect;
use winit::dpi::PhysicalSize;

/// How the picture is made larger or smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scaling {
    /// By a whole number, each pixel a square; smaller than it is only if it does not fit otherwise.
    #[default]
    Sharp,
    /// As large as fits, smoothed.
    Smooth,
}

/// A picture in a window. All lengths in pixels of the screen, none of them zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// The window's inside.
    pub(super) window: (u32, u32),
    /// The guest's picture.
    pub(super) guest: (u32, u32),
    /// Where it is drawn.
    pub(super) place: Rect,
}

impl View {
    /// The picture in the middle of the window, in its proportions.
    pub(super) fn new(window: (u32, u32), guest: (u32, u32), scaling: Scaling) -> Self {
        let window = (window.0.max(1), window.1.max(1));
        let guest = (guest.0.max(1), guest.1.max(1));
        let whole = (window.0 / guest.0).min(window.1 / guest.1);
        let (width, height) = if scaling == Scaling::Sharp && whole >= 1 {
            (guest.0 * whole, guest.1 * whole)
        } else {
            fit(window, guest)
        };
        let place = Rect {
            x: (window.0 - width) / 2,
            y: (window.1 - height) / 2,
            width,
            height,
        };
        View { window, guest, place }
    }

    /// Whether the picture is drawn with whole, equal pixels.
    pub(super) fn is_whole(&self) -> bool {
        self.place.width.is_multiple_of(self.guest.0)
            && self.place.height.is_multiple_of(self.guest.1)
            && self.place.width / self.guest.0 == self.place.height / self.guest.1
    }

    /// The place of the picture (0–65535 each way) that is at a place of the window: its edge if that is outside.
    pub(super) fn guest_place(&self, x: f64, y: f64) -> (u16, u16) {
        let along = |at: f64, start: u32, length: u32, pixels: u32| {
            // The pixel counts, not the point in it: the last one must be reached.
            let pixel = ((at - f64::from(start)) * f64::from(pixels) / f64::from(length)).floor();
            let last = f64::from(pixels.max(2) - 1);
            (pixel.clamp(0.0, last) * 65535.0 / last).round() as u16
        };
        (
            along(x, self.place.x, self.place.width, self.guest.0),
            along(y, self.place.y, self.place.height, self.guest.1),
        )
    }

    /// Whether a place of the window is on the picture.
    pub(super) fn covers(&self, x: f64, y: f64) -> bool {
        let within = |at: f64, start: u32, length: u32| at >= f64::from(start) && at < f64::from(start + length);
        within(x, self.place.x, self.place.width) && within(y, self.place.y, self.place.height)
    }

    /// The part of the window that shows `rect` of the picture, with a pixel more around it where pixels are mixed.
    pub(super) fn shown(&self, rect: &Rect) -> Rect {
        let (around_x, around_y) = if self.is_whole() {
            (0, 0)
        } else {
            (
                self.place.width.div_ceil(self.guest.0),
                self.place.height.div_ceil(self.guest.1),
            )
        };
        let span = |from: u32, count: u32, length: u32, pixels: u32, around: u32| {
            let scale = |at: u32| u64::from(at) * u64::from(length);
            let start = (scale(from) / u64::from(pixels)) as u32;
            let end = scale(from + count).div_ceil(u64::from(pixels)) as u32;
            let start = start.saturating_sub(around);
            (start, (end + around).min(length).saturating_sub(start))
        };
        let (x, width) = span(rect.x, rect.width, self.place.width, self.guest.0, around_x);
        let (y, height) = span(rect.y, rect.height, self.place.height, self.guest.1, around_y);
        Rect {
            x: self.place.x + x,
            y: self.place.y + y,
            width,
            height,
        }
    }
}

/// The largest size of `guest`'s proportions that fits `window`.
fn fit(window: (u32, u32), guest: (u32, u32)) -> (u32, u32) {
    let of = |length: u32, one: u32, other: u32| (u64::from(length) * u64::from(one) / u64::from(other)) as u32;
    let height = of(window.0, guest.1, guest.0);
    if height <= window.1 {
        (window.0, height.max(1))
    } else {
        (of(window.1, guest.0, guest.1).max(1), window.1)
    }
}

/// The guest's picture, by the whole number that the desktop's scale factor asks for, if that fits the screen.
pub(super) fn natural_size(guest: (u32, u32), factor: f64, screen: Option<PhysicalSize<u32>>) -> PhysicalSize<u32> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sharp_pictures_are_whole_and_centred() {
        let view = View::new((1600, 1000), (640, 400), Scaling::Sharp);
        assert_eq!(
            view.place,
            Rect {
                x: 160,
                y: 100,
                width: 1280,
                height: 800
            }
        );
        assert!(view.is_whole());
        let view = View::new((320, 300), (640, 400), Scaling::Sharp);
        assert_eq!(
            view.place,
            Rect {
                x: 0,
                y: 50,
                width: 320,
                height: 200
            }
        );
        let view = View::new((1600, 1000), (640, 480), Scaling::Smooth);
        assert_eq!(
            view.place,
            Rect {
                x: 133,
                y: 0,
                width: 1333,
                height: 1000
            }
        );
    }

    #[test]
    fn a_picture_higher_than_wide_is_whole_only_if_both_ways_are() {
        let view = View::new((10, 29), (1, 10), Scaling::Smooth);
        assert_eq!((view.place.width, view.place.height), (2, 29));
        assert!(!view.is_whole());
    }

    #[test]
    fn the_window_gets_the_guests_size_if_the_screen_has_it() {
        let screen = Some(PhysicalSize::new(1920, 1080));
        assert_eq!(natural_size((640, 480), 1.0, screen), PhysicalSize::new(640, 480));
        assert_eq!(natural_size((640, 480), 2.5, screen), PhysicalSize::new(1280, 960));
        assert_eq!(natural_size((1024, 768), 2.0, screen), PhysicalSize::new(1024, 768));
        assert_eq!(natural_size((2560, 1600), 1.0, screen), PhysicalSize::new(1728, 1080));
    }

    #[test]
    fn corners_are_reached() {
        let view = View::new((1600, 1000), (640, 400), Scaling::Sharp);
        assert_eq!(view.guest_place(160.0, 100.0), (0, 0));
        assert_eq!(view.guest_place(1439.9, 899.0), (65535, 65535));
        assert_eq!(view.guest_place(0.0, 2000.0), (0, 65535));
        assert!(view.covers(160.0, 100.0) && !view.covers(159.0, 100.0));
    }

    proptest! {
        #[test]
        fn what_is_shown_lies_in_the_picture(
            window in (1u32..4000, 1u32..3000), guest in (1u32..2600, 1u32..1700), smooth: bool,
            x in 0u32..2600, y in 0u32..1700,
        ) {
            let scaling = if smooth { Scaling::Smooth } else { Scaling::Sharp };
            let view = View::new(window, guest, scaling);
            prop_assert_eq!(view.place.intersection(&Rect::all(window.0, window.1)), view.place);
            let rect = Rect { x: x % guest.0, y: y % guest.1, width: 1, height: 1 };
            let shown = view.shown(&rect);
            prop_assert!(!shown.is_empty());
            prop_assert_eq!(shown.intersection(&view.place), shown);
        }
    }
}
