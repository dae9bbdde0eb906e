//! Which entries of a hive's logs are replayed. The two logs are used in turns and written over from their start, so
//! that each may have entries left from long ago.

use super::entry::Entry;

/// The entries that finish the hive, in their order.
pub(super) struct Chosen<'l> {
    /// With the number of the log that each is from.
    pub(super) entries: Vec<(usize, Entry<'l>)>,
    /// Newer entries behind a gap.
    pub(super) skipped: usize,
}

/// Chooses among the `found` entries, each with the number of its log. `next` is the entry that the hive waits for,
/// where its base block can be believed.
///
/// Sequence numbers go on by one. Where an entry is missing, Windows stops, and so do we. If the logs start after
/// `next`, the hive has been written since its base block was: this is how hives of Windows 10 are found. Then the
/// newest entries without a gap are meant.
pub(super) fn choose(mut found: Vec<(usize, Entry<'_>)>, next: Option<u32>) -> Chosen<'_> {
    found.retain(|(_, entry)| next.is_none_or(|next| entry.sequence >= next));
    found.sort_by_key(|(_, entry)| entry.sequence);
    found.dedup_by_key(|(_, entry)| entry.sequence);
    let mut runs: Vec<Vec<(usize, Entry<'_>)>> = Vec::new();
    for (log, entry) in found {
        let last = runs.last().and_then(|run| run.last());
        let follows = last.is_some_and(|(_, last)| last.sequence.checked_add(1) == Some(entry.sequence));
        match runs.last_mut().filter(|_| follows) {
            Some(run) => run.push((log, entry)),
            None => runs.push(vec![(log, entry)]),
        }
    }
    let is_expected = |run: &Vec<(usize, Entry<'_>)>| run.first().map(|(_, entry)| entry.sequence) == next;
    if runs.first().is_some_and(is_expected) {
        let skipped = runs.iter().skip(1).map(Vec::len).sum();
        let entries = runs.into_iter().next().unwrap_or_default();
        return Chosen { entries, skipped };
    }
    Chosen {
        entries: runs.pop().unwrap_or_default(),
        skipped: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(logs: &[&[u32]], next: Option<u32>) -> (Vec<u32>, usize) {
        let entry = |sequence| Entry {
            sequence,
            flags: 0,
            bins_size: 0,
            pages: Vec::new(),
        };
        let logs = logs.iter().enumerate();
        let found = logs.flat_map(|(log, numbers)| numbers.iter().map(move |number| (log, entry(*number))));
        let chosen = choose(found.collect(), next);
        let numbers = chosen.entries.iter().map(|(_, entry)| entry.sequence);
        (numbers.collect(), chosen.skipped)
    }

    #[test]
    fn both_logs_are_one_sequence() {
        assert_eq!(chosen(&[&[7, 8], &[5, 6]], Some(5)), (vec![5, 6, 7, 8], 0));
        assert_eq!(chosen(&[&[5, 6], &[7]], None), (vec![5, 6, 7], 0));
    }

    #[test]
    fn entries_that_the_hive_has_are_left_out() {
        assert_eq!(chosen(&[&[5, 6, 7]], Some(6)), (vec![6, 7], 0));
        assert_eq!(chosen(&[&[5, 6, 7]], Some(8)), (vec![], 0));
    }

    #[test]
    fn a_gap_ends_the_sequence() {
        assert_eq!(chosen(&[&[5, 6], &[8, 9]], Some(5)), (vec![5, 6], 2));
    }

    #[test]
    fn without_the_expected_entry_the_newest_sequence_counts() {
        assert_eq!(chosen(&[&[20, 21], &[8, 9]], Some(5)), (vec![20, 21], 0));
        assert_eq!(chosen(&[&[20, 21], &[8, 9]], None), (vec![20, 21], 0));
        assert_eq!(chosen(&[&[20, 21], &[18, 19]], Some(3)), (vec![18, 19, 20, 21], 0));
    }
}
