//! Which parts of a picture have changed, in tiles of 64 by 16 pixels.

use crate::video::Frame;

/// Size of a tile in pixels.
pub const TILE_WIDTH: u32 = 64;
/// Size of a tile in pixels.
pub const TILE_HEIGHT: u32 = 16;

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Rect {
    /// All of a picture.
    pub fn all(width: u32, height: u32) -> Self {
        Rect {
            x: 0,
            y: 0,
            width,
            height,
        }
    }

    fn right(&self) -> u32 {
        self.x.saturating_add(self.width)
    }

    fn bottom(&self) -> u32 {
        self.y.saturating_add(self.height)
    }

    /// What both have in common; without pixels if that is nothing.
    pub fn intersection(&self, other: &Rect) -> Rect {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        Rect {
            x,
            y,
            width: self.right().min(other.right()).saturating_sub(x),
            height: self.bottom().min(other.bottom()).saturating_sub(y),
        }
    }

    /// The smallest rectangle that holds both.
    pub fn union(&self, other: &Rect) -> Rect {
        if self.is_empty() {
            return *other;
        }
        if other.is_empty() {
            return *self;
        }
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Rect {
            x,
            y,
            width: self.right().max(other.right()) - x,
            height: self.bottom().max(other.bottom()) - y,
        }
    }

    /// Whether it has no pixels.
    pub fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }
}

/// Tiles of a picture that have changed: a word for each row of tiles, a bit for each tile. No picture is wider than
/// 64 tiles; what lies beyond counts as part of the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    width: u32,
    height: u32,
    rows: Vec<u64>,
}

impl Damage {
    /// Nothing of a picture of this size.
    pub fn none(width: u32, height: u32) -> Self {
        Damage {
            width,
            height,
            rows: vec![0; height.div_ceil(TILE_HEIGHT) as usize],
        }
    }

    /// All of a picture of this size.
    pub fn all(width: u32, height: u32) -> Self {
        let mut damage = Damage::none(width, height);
        damage.add_rect(&Rect::all(width, height));
        damage
    }

    /// Width and height of the picture.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.rows.iter().all(|row| *row == 0)
    }

    /// The tile at pixel `x`, `y` changed.
    pub fn add(&mut self, x: u32, y: u32) {
        if let Some(row) = self.rows.get_mut((y / TILE_HEIGHT) as usize) {
            *row |= 1 << (x / TILE_WIDTH).min(63);
        }
    }

    /// Every tile that `rect` touches changed.
    pub fn add_rect(&mut self, rect: &Rect) {
        let rect = rect.intersection(&Rect::all(self.width, self.height));
        if rect.is_empty() {
            return;
        }
        let bits = bits(&rect);
        for row in self.tile_rows(&rect) {
            *row |= bits;
        }
    }

    fn tile_rows(&mut self, rect: &Rect) -> impl Iterator<Item = &mut u64> {
        let first = (rect.y / TILE_HEIGHT) as usize;
        let end = rect.bottom().div_ceil(TILE_HEIGHT) as usize;
        self.rows.iter_mut().skip(first).take(end - first)
    }

    /// Adds what changed later; a picture of another size makes everything change.
    pub fn merge(&mut self, later: &Damage) {
        if self.size() == later.size() {
            for (row, other) in self.rows.iter_mut().zip(&later.rows) {
                *row |= other;
            }
        } else {
            *self = Damage::all(later.width, later.height);
        }
    }

    /// Takes out the tiles that `area` touches.
    pub fn take(&mut self, area: &Rect) -> Damage {
        let mut taken = Damage::none(self.width, self.height);
        let area = area.intersection(&Rect::all(self.width, self.height));
        if area.is_empty() {
            return taken;
        }
        let bits = bits(&area);
        let from = self.tile_rows(&area);
        for (row, to) in from.zip(taken.tile_rows(&area)) {
            *to = *row & bits;
            *row &= !bits;
        }
        taken
    }

    /// The changed tiles as rectangles that do not overlap: runs of tiles, joined with equal runs below.
    pub fn rects(&self) -> Vec<Rect> {
        let mut done: Vec<Rect> = Vec::new();
        // Those that end at the row above.
        let mut open: Vec<Rect> = Vec::new();
        for (y, row) in (0u32..).step_by(TILE_HEIGHT as usize).zip(&self.rows) {
            let height = TILE_HEIGHT.min(self.height - y);
            let mut now = Vec::new();
            let mut left = *row;
            while left != 0 {
                let first = left.trailing_zeros();
                let len = (left >> first).trailing_ones();
                left &= !(u64::MAX >> (64 - len) << first);
                let x = first * TILE_WIDTH;
                let end = if first + len == 64 {
                    self.width
                } else {
                    self.width.min((first + len) * TILE_WIDTH)
                };
                let mut rect = Rect {
                    x,
                    y,
                    width: end - x,
                    height,
                };
                if let Some(at) = open.iter().position(|o| o.x == rect.x && o.width == rect.width) {
                    let above = open.swap_remove(at);
                    rect = above.union(&rect);
                }
                now.push(rect);
            }
            done.append(&mut open);
            open = now;
        }
        done.append(&mut open);
        done
    }
}

/// The bits of the tiles that a rectangle with pixels touches in every row.
fn bits(rect: &Rect) -> u64 {
    let first = (rect.x / TILE_WIDTH).min(63);
    let last = ((rect.right() - 1) / TILE_WIDTH).min(63);
    u64::MAX >> (63 - (last - first)) << first
}

/// Copies rows of `new`, a picture of the rows from `first` on, to `picture` where they differ, and notes the tiles.
/// Both must be equally wide.
pub(super) fn absorb(picture: &mut Frame, first: u32, new: &Frame, damage: &mut Damage) {
    let width = picture.width as usize;
    if new.width != picture.width || width == 0 {
        return;
    }
    let rows = picture.pixels.chunks_exact_mut(width).skip(first as usize);
    for (y, (old, new)) in (first..).zip(rows.zip(new.pixels.chunks_exact(width))) {
        if old == new {
            continue;
        }
        let tiles = old.chunks_mut(TILE_WIDTH as usize).zip(new.chunks(TILE_WIDTH as usize));
        for (x, (old, new)) in (0u32..).step_by(TILE_WIDTH as usize).zip(tiles) {
            if old != new {
                old.copy_from_slice(new);
                damage.add(x, y);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rect() -> impl Strategy<Value = Rect> {
        (0..2600u32, 0..1700u32, 0..900u32, 0..300u32).prop_map(|(x, y, width, height)| Rect { x, y, width, height })
    }

    proptest! {
        /// The rectangles cover what was added, do not overlap, and lie in the picture.
        #[test]
        fn rectangles_are_exact(
            (width, height) in (1..2560u32, 1..1600u32),
            added in proptest::collection::vec(rect(), 0..8),
            area in rect(),
        ) {
            let all = Rect::all(width, height);
            let mut damage = Damage::none(width, height);
            for rect in &added {
                damage.add_rect(rect);
            }
            let before = damage.clone();
            let rects = damage.rects();
            for (at, rect) in rects.iter().enumerate() {
                prop_assert!(!rect.is_empty());
                prop_assert_eq!(rect.intersection(&all), *rect);
                for other in &rects[..at] {
                    prop_assert!(rect.intersection(other).is_empty());
                }
            }
            for rect in &added {
                let inside = rect.intersection(&all);
                let covered: u64 = rects.iter().map(|r| {
                    let r = r.intersection(&inside);
                    u64::from(r.width) * u64::from(r.height)
                }).sum();
                prop_assert_eq!(covered, u64::from(inside.width) * u64::from(inside.height));
            }
            let mut taken = damage.take(&area);
            prop_assert!(damage.take(&area).is_empty());
            taken.merge(&damage);
            prop_assert_eq!(taken, before);
        }
    }

    #[test]
    fn only_tiles_that_differ_are_noted() {
        let mut picture = Frame::black(200, 40);
        let mut new = Frame::black(200, 10);
        new.pixels[5 * 200 + 130] = 7;
        let mut damage = Damage::none(200, 40);
        absorb(&mut picture, 30, &new, &mut damage);
        assert_eq!(picture.pixels[35 * 200 + 130], 7);
        let tile = Rect {
            x: 128,
            y: 32,
            width: 64,
            height: 8,
        };
        assert_eq!(damage.rects(), [tile]);
        let mut again = Damage::none(200, 40);
        absorb(&mut picture, 30, &new, &mut again);
        assert!(again.is_empty());
    }
}
