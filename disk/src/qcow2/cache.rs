//! A bounded cache for several threads: what was used lately stays.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values by key, no more than a number of bytes of them. The one that goes when room is needed is found by the
/// clock algorithm: a hand goes round, spares what was used since it last came by, and takes the first that was not.
pub(super) struct Cache<K, V> {
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    index: HashMap<K, usize>,
    slots: Vec<Slot<K, V>>,
    hand: usize,
    bytes: usize,
    most_bytes: usize,
}

struct Slot<K, V> {
    key: K,
    value: V,
    bytes: usize,
    used: bool,
}

impl<K: Copy + Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache for values of `most_bytes` bytes together.
    pub(super) fn new(most_bytes: usize) -> Self {
        Cache {
            inner: Mutex::new(Inner {
                index: HashMap::new(),
                slots: Vec::new(),
                hand: 0,
                bytes: 0,
                most_bytes,
            }),
        }
    }

    /// The value for `key`, if it is there.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut inner = self.lock();
        let at = *inner.index.get(key)?;
        let slot = inner.slots.get_mut(at)?;
        slot.used = true;
        Some(slot.value.clone())
    }

    /// Keeps `value`, which takes `bytes` bytes, unless it is larger than the whole cache.
    pub(super) fn insert(&self, key: K, value: V, bytes: usize) {
        let mut inner = self.lock();
        // Another thread may have been faster with the same value.
        if bytes > inner.most_bytes || inner.index.contains_key(&key) {
            return;
        }
        while inner.bytes.saturating_add(bytes) > inner.most_bytes && !inner.slots.is_empty() {
            inner.evict_one();
        }
        let at = inner.slots.len();
        inner.index.insert(key, at);
        inner.bytes = inner.bytes.saturating_add(bytes);
        inner.slots.push(Slot {
            key,
            value,
            bytes,
            used: false,
        });
    }

    /// A panic elsewhere leaves the cache as it was or one value short, so a poisoned lock is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, V> Inner<K, V> {
    fn evict_one(&mut self) {
        loop {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            match self.slots.get_mut(self.hand) {
                None => return,
                Some(slot) if slot.used => {
                    slot.used = false;
                    self.hand = self.hand.saturating_add(1);
                }
                Some(_) => break,
            }
        }
        let gone = self.slots.swap_remove(self.hand);
        self.index.remove(&gone.key);
        self.bytes = self.bytes.saturating_sub(gone.bytes);
        if let Some(moved) = self.slots.get(self.hand) {
            self.index.insert(moved.key, self.hand);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_are_right_and_memory_is_bounded(keys in prop::collection::vec((0u32..40, 1usize..30), 1..300)) {
            let cache = Cache::new(100);
            for (key, bytes) in keys {
                match cache.get(&key) {
                    Some(value) => prop_assert_eq!(value, key * 7),
                    None => {
                        cache.insert(key, key * 7, bytes);
                        prop_assert_eq!(cache.get(&key), Some(key * 7));
                    }
                }
                let inner = cache.lock();
                prop_assert!(inner.bytes <= 100);
                prop_assert_eq!(inner.bytes, inner.slots.iter().map(|slot| slot.bytes).sum::<usize>());
                prop_assert_eq!(inner.index.len(), inner.slots.len());
            }
        }
    }

    #[test]
    fn what_is_in_use_stays() {
        let cache = Cache::new(4);
        for key in 0..100 {
            cache.insert(key, key, 1);
            cache.get(&0);
        }
        assert_eq!(cache.get(&0), Some(0));
        cache.insert(1000, 1000, 5);
        assert_eq!(cache.get(&1000), None);
    }
}
