//! Which pages of a region were written to.

use std::ops::Range;

const PAGE: usize = 4096;

/// A set of pages (4096 bytes) of one region, counted from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    words: Vec<u64>,
}

impl Pages {
    /// No pages.
    pub fn none() -> Self {
        Pages::default()
    }

    /// Every page that lies in the bytes `range`, whole or in part.
    pub fn covering(range: Range<usize>) -> Self {
        let mut pages = Pages::none();
        pages.cover(range);
        pages
    }

    /// Adds every page that lies in the bytes `range`, whole or in part.
    pub fn cover(&mut self, range: Range<usize>) {
        for page in range.start / PAGE..range.end.div_ceil(PAGE) {
            self.insert(page);
        }
    }

    /// Adds page number `page`.
    pub fn insert(&mut self, page: usize) {
        let word = page / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (page % 64);
    }

    /// Adds the pages of a KVM bitmap whose first bit stands for the page at byte `offset`.
    pub fn insert_bitmap(&mut self, offset: usize, bitmap: &[u64]) {
        for (at, word) in bitmap.iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                self.insert(offset / PAGE + at * 64 + bit);
            }
        }
    }

    /// Adds all pages of `other`.
    pub fn merge(&mut self, other: &Pages) {
        self.insert_bitmap(0, &other.words);
    }

    /// Whether no page is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether any of the bytes `range` lies in a page of the set.
    pub fn touches(&self, range: &Range<usize>) -> bool {
        if range.is_empty() {
            return false;
        }
        let end = ((range.end - 1) / PAGE + 1).min(self.words.len() * 64);
        (range.start / PAGE..end).any(|page| self.words[page / 64] >> (page % 64) & 1 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps_are_moved_to_their_offset() {
        let mut pages = Pages::none();
        pages.insert_bitmap(70 * PAGE, &[0, 1 << 63]);
        assert!(pages.touches(&(197 * PAGE + 5..197 * PAGE + 6)));
        assert!(!pages.touches(&(0..197 * PAGE)));
        assert!(!pages.touches(&(198 * PAGE..usize::MAX / 2)), "ends in time too");
        assert!(!pages.touches(&(197 * PAGE..197 * PAGE)), "no byte");
        assert_eq!(pages, Pages::covering(197 * PAGE + 1..198 * PAGE));
    }
}
