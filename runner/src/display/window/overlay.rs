//! Draws the menu over the picture, and finds the entry under the pointer.

use super::super::damage::Rect;
use super::menu::Menu;
use embedded_graphics::Pixel;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{DrawTarget, Drawable, OriginDimensions, Point, Size};
use embedded_graphics::primitives::{Primitive, PrimitiveStyle, PrimitiveStyleBuilder, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use std::convert::Infallible;

const FONT: &MonoFont<'_> = &FONT_10X20;
const LETTER: u32 = 10;
const ROW: u32 = 28;
const MARGIN: u32 = 18;
const PAPER: Rgb888 = Rgb888::new(0x20, 0x26, 0x2e);
const EDGE: Rgb888 = Rgb888::new(0x5a, 0x8e, 0xc5);
const CHOSEN: Rgb888 = Rgb888::new(0x2f, 0x5d, 0x8f);
const INK: Rgb888 = Rgb888::new(0xe8, 0xec, 0xf0);
const DIM: Rgb888 = Rgb888::new(0x9a, 0xa8, 0xb6);

/// Where the menu is in a window of this size.
pub(super) fn place(menu: &Menu, window: (u32, u32)) -> Rect {
    let letters = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let headings = menu.heading.iter().map(|line| letters(line));
    let entries = menu.entries().iter().map(|entry| letters(entry.text).saturating_add(4));
    let columns = headings.chain(entries).max().unwrap_or(0);
    let rows = u32::try_from(menu.heading.len() + menu.entries().len()).unwrap_or(u32::MAX);
    let width = columns.saturating_mul(LETTER).saturating_add(2 * MARGIN).min(window.0);
    let height = rows.saturating_mul(ROW).saturating_add(2 * MARGIN).min(window.1);
    Rect {
        x: (window.0 - width) / 2,
        y: (window.1 - height) / 2,
        width,
        height,
    }
}

/// The entry at a place of the window.
pub(super) fn entry_at(menu: &Menu, window: (u32, u32), x: f64, y: f64) -> Option<usize> {
    let place = place(menu, window);
    let inside = x >= f64::from(place.x) && x < f64::from(place.x + place.width);
    let row = (y - f64::from(place.y + MARGIN)) / f64::from(ROW) - menu.heading.len() as f64;
    (inside && row >= 0.0 && row < menu.entries().len() as f64).then_some(row as usize)
}

/// Draws the menu into the window's picture, and returns where.
pub(super) fn draw(canvas: &mut [u32], window: (u32, u32), menu: &Menu) -> Rect {
    let area = place(menu, window);
    let mut target = Canvas { pixels: canvas, window };
    let Ok(()) = draw_into(&mut target, &area, menu);
    area
}

fn draw_into(target: &mut Canvas<'_>, area: &Rect, menu: &Menu) -> Result<(), Infallible> {
    let (x, y) = (signed(area.x), signed(area.y));
    let paper = PrimitiveStyleBuilder::new()
        .fill_color(PAPER)
        .stroke_color(EDGE)
        .stroke_width(2)
        .build();
    let size = Size::new(area.width.saturating_sub(1), area.height.saturating_sub(1));
    Rectangle::new(Point::new(x, y), size).into_styled(paper).draw(target)?;
    let left = x + signed(MARGIN);
    let mut line = y + signed(MARGIN);
    for text in &menu.heading {
        write(target, text, Point::new(left, line), DIM)?;
        line += signed(ROW);
    }
    for (number, entry) in menu.entries().iter().enumerate() {
        if number == menu.selected {
            let bar = Size::new(area.width.saturating_sub(MARGIN), ROW - 4);
            Rectangle::new(Point::new(left - signed(MARGIN / 2), line - 2), bar)
                .into_styled(PrimitiveStyle::with_fill(CHOSEN))
                .draw(target)?;
        }
        let letter = if number == menu.selected { INK } else { EDGE };
        write(target, &entry.letter.to_string(), Point::new(left, line), letter)?;
        write(target, entry.text, Point::new(left + signed(4 * LETTER), line), INK)?;
        line += signed(ROW);
    }
    Ok(())
}

fn write(target: &mut Canvas<'_>, text: &str, at: Point, colour: Rgb888) -> Result<(), Infallible> {
    let style = MonoTextStyle::new(FONT, colour);
    Text::with_baseline(text, at, style, Baseline::Top)
        .draw(target)
        .map(drop)
}

fn signed(length: u32) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// The window's picture as embedded-graphics draws on it; what lies outside is left out.
struct Canvas<'a> {
    pixels: &'a mut [u32],
    window: (u32, u32),
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.window.0, self.window.1)
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(Point { x, y }, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
                continue;
            };
            if x < self.window.0 && y < self.window.1 {
                let at = y as usize * self.window.0 as usize + x as usize;
                if let Some(pixel) = self.pixels.get_mut(at) {
                    *pixel = u32::from_be_bytes([0, colour.r(), colour.g(), colour.b()]);
                }
            }
        }
        Ok(())
    }
}

/// Cuts a text into lines between words.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        if let Some(line) = lines.last_mut()
            && (line.is_empty() || line.chars().count() + word.chars().count() < columns)
        {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::menu::Page;
    use super::*;

    #[test]
    fn entries_are_found_where_they_are_drawn() {
        let window = (640, 480);
        let menu = Menu::new(Page::Leave, vec!["oldpc".into()]);
        let area = place(&menu, window);
        let mut canvas = vec![0; 640 * 480];
        assert_eq!(draw(&mut canvas, window, &menu), area);
        let middle = f64::from(area.x + area.width / 2);
        let row = |number: u32| f64::from(area.y + MARGIN + ROW * number + 5);
        assert_eq!(entry_at(&menu, window, middle, row(0)), None, "the heading");
        assert_eq!(entry_at(&menu, window, middle, row(1)), Some(0));
        assert_eq!(entry_at(&menu, window, middle, row(3)), Some(2));
        assert_eq!(entry_at(&menu, window, middle, row(4)), None);
        assert_eq!(entry_at(&menu, window, 1.0, row(1)), None);
    }

    #[test]
    fn long_messages_are_cut_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn it_is_drawn_in_windows_of_any_size() {
        for window in [(1, 1), (30, 500), (500, 30), (2560, 1600)] {
            let mut canvas = vec![0; (window.0 * window.1) as usize];
            draw(&mut canvas, window, &Menu::new(Page::Main, vec!["x".repeat(500)]));
        }
    }
}
