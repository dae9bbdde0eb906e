//! Making what was written durable, in a thread of its own: the copy goes on meanwhile.

use crate::capture::rescue::Kept;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

/// What went wrong, and with which file.
pub(super) type SyncError = (PathBuf, io::Error);

/// What is asked for.
struct Job {
    /// The file of what was read late, if it was written to.
    late: Option<Arc<Kept>>,
    /// Records for the journal, once all that they speak of is durable.
    records: Vec<u8>,
}

/// The thread. It ends with this value.
pub(super) struct Syncer {
    jobs: Sender<Job>,
    answers: Receiver<Result<(), SyncError>>,
    busy: bool,
}

impl Syncer {
    /// Syncs `image` before `journal` grows.
    pub(super) fn new(image: (File, PathBuf), mut journal: (File, PathBuf)) -> Self {
        let (jobs, asked) = bounded::<Job>(1);
        let (answer, answers) = bounded(1);
        // After a failure the system forgets what it could not write, and the next sync succeeds: nothing after the first
        // failure counts.
        let mut failed: Option<(PathBuf, Option<i32>)> = None;
        let mut work = move |job: Job| -> Result<(), SyncError> {
            if let Some((path, number)) = &failed {
                let error = number.map_or_else(|| io::Error::other("a sync failed"), io::Error::from_raw_os_error);
                return Err((path.clone(), error));
            }
            let done = make_durable(&image, &mut journal, job);
            if let Err((path, error)) = &done {
                failed = Some((path.clone(), error.raw_os_error()));
            }
            done
        };
        thread::spawn(move || {
            for job in asked {
                if answer.send(work(job)).is_err() {
                    return;
                }
            }
        });
        Syncer {
            jobs,
            answers,
            busy: false,
        }
    }

    /// Begins; not to be called while it is [`busy`](Syncer::is_busy).
    pub(super) fn begin(&mut self, records: Vec<u8>, late: Option<Arc<Kept>>) {
        // Without the thread, `look` says so.
        let _ = self.jobs.send(Job { late, records });
        self.busy = true;
    }

    /// Whether what was begun last has not been seen to end.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Looks whether it has ended; with `wait`, waits until it has.
    pub(super) fn look(&mut self, wait: bool) -> Result<(), SyncError> {
        use crossbeam_channel::TryRecvError;
        if !self.busy {
            return Ok(());
        }
        let answer = match self.answers.try_recv() {
            Err(TryRecvError::Empty) if !wait => return Ok(()),
            Err(TryRecvError::Empty) => self.answers.recv().ok(),
            answer => answer.ok(),
        };
        self.busy = false;
        answer.unwrap_or_else(|| {
            let bug = "the thread that syncs failed: this is a bug in p2v";
            Err((PathBuf::from("the capture"), io::Error::other(bug)))
        })
    }
}

fn make_durable(image: &(File, PathBuf), journal: &mut (File, PathBuf), job: Job) -> Result<(), SyncError> {
    image.0.sync_data().map_err(|error| (image.1.clone(), error))?;
    if let Some(late) = job.late {
        late.sync().map_err(|error| (late.path().to_owned(), error))?;
    }
    let written = journal.0.write_all(&job.records).and_then(|()| journal.0.sync_data());
    written.map_err(|error| (journal.1.clone(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_counts_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        let file = File::create(&image).unwrap();
        // A pipe cannot be synced.
        let (pipe, _keep) = io::pipe().unwrap();
        let pipe = File::from(std::os::fd::OwnedFd::from(pipe));
        let journal = folder.path().join("journal");
        for (first, broken) in [(file, false), (pipe, true)] {
            let to = File::create(&journal).unwrap();
            let mut syncer = Syncer::new((first, image.clone()), (to, journal.clone()));
            for _ in 0..2 {
                syncer.begin(b"record".to_vec(), None);
                assert_eq!(syncer.look(true).is_err(), broken);
            }
            let written = std::fs::read(&journal).unwrap();
            assert_eq!(written.len(), if broken { 0 } else { 12 });
        }
    }
}
