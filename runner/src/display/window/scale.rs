//! Draws parts of the guest's picture into the window's, larger or smaller.

use super::super::damage::Rect;
use super::view::View;
use crate::video::Frame;

/// Draws what of `frame` is shown in `area` of the window. `canvas` has the window's size, row by row.
pub(super) fn draw(canvas: &mut [u32], view: &View, frame: &Frame, area: &Rect) {
    let area = area.intersection(&view.place);
    if area.is_empty() || (frame.width, frame.height) != view.guest {
        return;
    }
    if view.is_whole() {
        draw_whole(canvas, view, frame, &area);
    } else {
        draw_smooth(canvas, view, frame, &area);
    }
}

/// The pixels of `area` in one row of the canvas.
fn row<'a>(canvas: &'a mut [u32], view: &View, area: &Rect, y: u32) -> &'a mut [u32] {
    let start = y as usize * view.window.0 as usize + area.x as usize;
    canvas.get_mut(start..start + area.width as usize).unwrap_or_default()
}

fn source(frame: &Frame, y: u32) -> &[u32] {
    let width = frame.width as usize;
    let start = y as usize * width;
    frame.pixels.get(start..start + width).unwrap_or_default()
}

/// Each pixel a square.
fn draw_whole(canvas: &mut [u32], view: &View, frame: &Frame, area: &Rect) {
    let factor = (view.place.width / view.guest.0).max(1);
    for y in area.y..area.y + area.height {
        let from = source(frame, (y - view.place.y) / factor);
        let to = row(canvas, view, area, y);
        let first = area.x - view.place.x;
        if factor == 1 {
            let first = first as usize;
            if let Some(from) = from.get(first..first + to.len()) {
                to.copy_from_slice(from);
            }
            continue;
        }
        for (x, pixel) in (first..).zip(to) {
            *pixel = from.get((x / factor) as usize).copied().unwrap_or_default();
        }
    }
}

/// Each pixel a mixture of the four nearest ones (bilinear), in steps of 1/256.
fn draw_smooth(canvas: &mut [u32], view: &View, frame: &Frame, area: &Rect) {
    let columns: Vec<Sample> = (area.x..area.x + area.width)
        .map(|x| Sample::new(x - view.place.x, view.place.width, view.guest.0))
        .collect();
    for y in area.y..area.y + area.height {
        let line = Sample::new(y - view.place.y, view.place.height, view.guest.1);
        let (upper, lower) = (source(frame, line.first), source(frame, line.second));
        for (column, pixel) in columns.iter().zip(row(canvas, view, area, y)) {
            let at = |row: &[u32], x: u32| row.get(x as usize).copied().unwrap_or_default();
            let top = mix(at(upper, column.first), at(upper, column.second), column.weight);
            let bottom = mix(at(lower, column.first), at(lower, column.second), column.weight);
            *pixel = mix(top, bottom, line.weight);
        }
    }
}

/// The two pixels nearest to the middle of a pixel of the window, and the second one's part of 256.
struct Sample {
    first: u32,
    second: u32,
    weight: u32,
}

impl Sample {
    fn new(at: u32, length: u32, pixels: u32) -> Self {
        // The middles of pixels are compared, in 1/256 of a pixel of the guest.
        let middle = (2 * u64::from(at) + 1) * u64::from(pixels) * 128 / u64::from(length.max(1));
        let place = middle.saturating_sub(128);
        let first = ((place / 256) as u32).min(pixels - 1);
        Sample {
            first,
            second: (first + 1).min(pixels - 1),
            weight: (place % 256) as u32,
        }
    }
}

/// `one` and `two` mixed, with `weight` of 256 parts of `two`.
fn mix(one: u32, two: u32, weight: u32) -> u32 {
    if one == two {
        return one;
    }
    // Red and blue in one go, green in the other.
    let part = |mask: u32| {
        let (one, two) = (u64::from(one & mask), u64::from(two & mask));
        ((one * u64::from(256 - weight) + two * u64::from(weight)) / 256) as u32 & mask
    };
    part(0x00ff_00ff) | part(0x0000_ff00)
}

#[cfg(test)]
mod tests {
    use super::super::view::Scaling;
    use super::*;
    use proptest::prelude::*;

    fn checks(width: u32, height: u32) -> Frame {
        let pixels = (0..width * height).map(|at| (at % width + at / width) % 2 * 0x00ff_ffff);
        Frame {
            width,
            height,
            pixels: pixels.collect(),
        }
    }

    #[test]
    fn pixels_become_squares() {
        let view = View::new((10, 8), (4, 3), Scaling::Sharp);
        let mut canvas = vec![7; 80];
        draw(&mut canvas, &view, &checks(4, 3), &Rect::all(10, 8));
        let rows: Vec<&[u32]> = canvas.chunks(10).collect();
        let white = 0x00ff_ffff;
        assert_eq!(rows[0], [7; 10], "beside the picture");
        assert_eq!(rows[1], [7, 0, 0, white, white, 0, 0, white, white, 7]);
        assert_eq!(rows[1], rows[2]);
        assert_eq!(rows[3], [7, white, white, 0, 0, white, white, 0, 0, 7]);
    }

    #[test]
    fn smooth_pictures_keep_plain_colours_and_mix_others() {
        let view = View::new((9, 9), (2, 2), Scaling::Smooth);
        let mut canvas = vec![0; 81];
        let plain = Frame {
            width: 2,
            height: 2,
            pixels: vec![0x0012_3456; 4],
        };
        draw(&mut canvas, &view, &plain, &Rect::all(9, 9));
        assert_eq!(canvas, [0x0012_3456; 81]);
        draw(&mut canvas, &view, &checks(2, 2), &Rect::all(9, 9));
        assert_eq!((canvas[0], canvas[8]), (0, 0x00ff_ffff));
        assert_eq!(canvas[4 * 9 + 4], 0x007f_7f7f);
    }

    proptest! {
        /// Drawn piece by piece, or all at once: the same.
        #[test]
        fn pieces_make_the_whole(
            window in (1u32..90, 1u32..70), guest in (1u32..40, 1u32..30), smooth: bool,
            x in 0u32..40, y in 0u32..30,
        ) {
            let scaling = if smooth { Scaling::Smooth } else { Scaling::Sharp };
            let view = View::new(window, guest, scaling);
            let (before, mut after) = (checks(guest.0, guest.1), checks(guest.0, guest.1));
            let (x, y) = (x % guest.0, y % guest.1);
            after.pixels[(y * guest.0 + x) as usize] = 0x0040_8020;
            let size = (window.0 * window.1) as usize;
            let (mut one, mut two) = (vec![0; size], vec![0; size]);
            draw(&mut one, &view, &before, &Rect::all(window.0, window.1));
            draw(&mut one, &view, &after, &view.shown(&Rect { x, y, width: 1, height: 1 }));
            draw(&mut two, &view, &after, &Rect::all(window.0, window.1));
            prop_assert_eq!(one, two);
        }
    }
}
