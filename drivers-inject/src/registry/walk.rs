//! Every key of a hive, in a walk that ends whatever the hive holds.

use super::cell::CellOffset;
use super::error::HiveError;
use super::hive::Hive;
use super::key::Key;

/// The deepest that keys can nest (Windows' own limit: "Registry element size limits").
const DEEPEST: usize = 512;

/// Depth-first walk, parents first. An error ends the branch that it is in, not the walk.
pub struct Walk<'h> {
    hive: &'h Hive,
    /// The iterators over the subkeys of the ancestors.
    stack: Vec<Box<dyn Iterator<Item = Result<Key<'h>, HiveError>> + 'h>>,
    started: bool,
    left: usize,
}

impl<'h> Walk<'h> {
    pub(super) fn new(hive: &'h Hive) -> Self {
        Walk {
            hive,
            stack: Vec::new(),
            started: false,
            left: hive.most_keys(),
        }
    }

    /// Counts a key that was met and remembers to visit its subkeys next.
    fn enter(&mut self, key: Key<'h>) -> Result<Key<'h>, HiveError> {
        let circle = |offset: CellOffset| HiveError::Circle { offset, what: "keys" };
        let Some(left) = self.left.checked_sub(1) else {
            // More keys than there is room for: give up the whole walk.
            self.stack.clear();
            return Err(circle(key.offset()));
        };
        self.left = left;
        if self.stack.len() >= DEEPEST {
            return Err(circle(key.offset()));
        }
        self.stack.push(Box::new(key.subkeys()));
        Ok(key)
    }
}

impl<'h> Iterator for Walk<'h> {
    /// The depth (0 for the root) and the key.
    type Item = Result<(usize, Key<'h>), HiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        let key = if self.started {
            loop {
                match self.stack.last_mut()?.next() {
                    Some(key) => break key,
                    None => drop(self.stack.pop()),
                }
            }
        } else {
            self.started = true;
            self.hive.root()
        };
        let depth = self.stack.len();
        Some(key.and_then(|key| Ok((depth, self.enter(key)?))))
    }
}
