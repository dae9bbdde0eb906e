//! A copy that is going on.

use super::pace::Pace;
use super::words;
use crate::capture::live::Snapshot;
use std::ops::Range;
use std::time::{Duration, Instant};

/// A piece of the disk that has a name for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Bytes of the disk.
    pub(super) range: Range<u64>,
    /// `partition 2 of 3 (NTFS), with Windows XP`.
    pub(super) name: String,
}

/// What is known of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Working {
    pub(super) snapshot: Snapshot,
    pub(super) pace: Pace,
    pub(super) paused: bool,
    /// The question whether to stop is on the screen.
    pub(super) asking: bool,
    /// It was answered with yes.
    pub(super) stopping: bool,
}

impl Working {
    /// Takes a look at the copy that was made at `now`.
    pub(super) fn look(&mut self, snapshot: Snapshot, now: Instant) {
        if !self.paused {
            self.pace.record(now, snapshot.done);
        }
        self.snapshot = snapshot;
    }

    /// How far it is, 0 to 100. All of it is 100 only when it is written out.
    pub(super) fn percent(&self) -> u16 {
        let Snapshot { done, total, .. } = self.snapshot;
        let percent = (u128::from(done) * 100).checked_div(u128::from(total)).unwrap_or(0);
        u16::try_from(percent).unwrap_or(100).min(100)
    }

    /// Speed and time left, in one line.
    pub(super) fn speed(&self) -> String {
        if self.paused {
            return "Paused".to_owned();
        }
        let left = self.snapshot.total.saturating_sub(self.snapshot.done);
        match (self.pace.rate(), self.pace.left(left)) {
            (Some(rate), Some(left)) => format!("{} a second, {} left", words::size(rate as u64), words::time(left)),
            (Some(rate), None) => format!("{} a second", words::size(rate as u64)),
            (None, _) => "The speed is not known yet".to_owned(),
        }
    }

    /// What it does just now.
    pub(super) fn doing(&self, parts: &[Part]) -> String {
        let what = match self.snapshot.note {
            "" => "Reading",
            "writing it out" => return "Writing out the last of it".to_owned(),
            "compressing what was read late" => return "Compressing what was read late".to_owned(),
            note => return format!("{} ({})", words::capital(note), place(parts, self.snapshot.position)),
        };
        format!("{what} {}", place(parts, self.snapshot.position))
    }

    /// What is wrong with the disk, if anything is.
    pub(super) fn trouble(&self, parts: &[Part]) -> Option<String> {
        let Snapshot {
            failed_reads,
            last_failure,
            waiting,
            ..
        } = &self.snapshot;
        let waiting =
            waiting.map(|time: Duration| format!("The disk has not answered for {} seconds. ", time.as_secs()));
        let failed = (*failed_reads > 0).then(|| {
            let times = if *failed_reads == 1 { "once".to_owned() } else { format!("{failed_reads} times") };
            format!(
                "The disk could not read what it was asked for ({times} so far, last in {}). What is good is read first; then \
                 these places are tried again.",
                place(parts, *last_failure)
            )
        });
        (waiting.is_some() || failed.is_some()).then(|| waiting.unwrap_or_default() + &failed.unwrap_or_default())
    }
}

fn place(parts: &[Part], offset: u64) -> &str {
    let part = parts.iter().find(|part| part.range.contains(&offset));
    part.map_or("what lies around the partitions", |part| &part.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_read_and_what_is_wrong() {
        let parts = [Part {
            range: 1000..2000,
            name: "partition 1".to_owned(),
        }];
        let mut working = Working::default();
        let snapshot = Snapshot {
            total: 300,
            done: 100,
            position: 1500,
            ..Snapshot::default()
        };
        working.look(snapshot.clone(), Instant::now());
        assert_eq!(working.percent(), 33);
        assert_eq!(working.doing(&parts), "Reading partition 1");
        assert_eq!(working.trouble(&parts), None);
        working.look(
            Snapshot {
                failed_reads: 2,
                last_failure: 1600,
                waiting: Some(Duration::from_secs(7)),
                note: "trying again",
                ..snapshot
            },
            Instant::now(),
        );
        let trouble = working.trouble(&parts).unwrap();
        assert!(
            trouble.contains("7 seconds") && trouble.contains("2 times so far, last in partition 1"),
            "{trouble}"
        );
        assert_eq!(working.doing(&parts), "Trying again (partition 1)");
    }

    #[test]
    fn the_end_of_an_empty_disk_is_not_a_division_by_zero() {
        assert_eq!(Working::default().percent(), 0);
    }
}
