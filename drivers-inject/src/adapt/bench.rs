//! The workbench of a plan: the disk with everything that is planned so far, in memory. What one system needs is
//! carried out here at once, whole or not at all, so that the next one sees it and the plan is known to work.

use super::edited::{Action, Edited, FileChange};
use crate::Unreadable;
use crate::volumes::{self, MountedVolume};
use disk::layout::DiskLayout;
use disk::scratch::{Change, Scratch, Snapshot};
use disk::{BlockDevice, Linear, Mapping, ReadAt};
use fs_edit::{FsEditError, JournalState};
use std::io;
use std::sync::Arc;

/// The most that a plan may change, in bytes: initramfs images of several kernels, a journal to replay, drivers.
const LIMIT: u64 = 1 << 30;

/// The disk as it will be, and its volumes.
pub(super) struct Bench {
    scratch: Arc<Scratch>,
    pub(super) volumes: Vec<MountedVolume>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// Why something planned cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum CarryError {
    #[error("a change cannot be made: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Files(#[from] FsEditError),
    #[error("transaction {0} in its journal is damaged: what comes after it would be lost")]
    Journal(u32),
    #[error("its logical volume must not be written: {0}")]
    ReadOnly(String),
    #[error("a planned change does not fit what is on the disk at byte {0}")]
    Mismatch(u64),
}

impl Bench {
    pub(super) fn new(disk: &Arc<dyn ReadAt>, layout: &DiskLayout) -> Self {
        let scratch = Arc::new(Scratch::new(Arc::clone(disk), LIMIT));
        let view: Arc<dyn ReadAt> = scratch.clone();
        let (volumes, unreadable) = volumes::open_all(&view, layout);
        Bench {
            scratch,
            volumes,
            unreadable,
        }
    }

    /// Everything that was carried out, as bytes.
    pub(super) fn changes(&self) -> io::Result<Vec<Change>> {
        self.scratch.changes()
    }

    /// The state to come back to with [`restore`](Self::restore).
    pub(super) fn snapshot(&self) -> Snapshot {
        self.scratch.snapshot()
    }

    /// Undoes what was carried out since, and looks at these volumes anew.
    pub(super) fn restore(&mut self, snapshot: Snapshot, volumes: &[usize]) {
        self.scratch.restore(snapshot);
        self.reopen(volumes);
    }

    /// Makes the changes of one system. After an error the disk is as it was before.
    pub(super) fn carry(&mut self, edited: &Edited) -> Result<(), CarryError> {
        let snapshot = self.scratch.snapshot();
        let mut touched: Vec<usize> = edited.files.iter().map(|change| change.volume).collect();
        touched.sort_unstable();
        touched.dedup();
        let result = self
            .carry_writes(edited)
            .and_then(|()| touched.iter().try_for_each(|volume| self.carry_files(*volume, edited)));
        match result {
            Ok(()) => {
                let all: Vec<usize> = (0..self.volumes.len()).collect();
                self.reopen(if edited.writes.is_empty() { &touched } else { &all });
                Ok(())
            }
            Err(error) => {
                self.restore(snapshot, &touched);
                Err(error)
            }
        }
    }

    /// A volume of the disk as it will be; `None` if it is not all there.
    pub(super) fn volume(&self, mapping: &Mapping) -> Option<Linear<Arc<Scratch>>> {
        Linear::new(Arc::clone(&self.scratch), mapping.clone()).ok()
    }

    /// A volume that may be written.
    fn device(&self, volume: &MountedVolume) -> Result<Linear<Arc<Scratch>>, CarryError> {
        match &volume.read_only {
            Some(why) => Err(CarryError::ReadOnly(why.clone())),
            None => Ok(Linear::new(Arc::clone(&self.scratch), volume.mapping.clone())?),
        }
    }

    /// `N` bytes of the disk as it will be, if they can be read.
    pub(super) fn bytes<const N: usize>(&self, offset: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.scratch.read_at(offset, &mut bytes).ok()?;
        Some(bytes)
    }

    /// Replays the journal of an ext volume that was not unmounted; how many blocks that changed. `None` if nothing
    /// waits in it.
    pub(super) fn replay_journal(&mut self, number: usize) -> Result<Option<u64>, CarryError> {
        let Some(volume) = self.volumes.get(number) else {
            return Ok(None);
        };
        let kind = volume.kind;
        let state = fs_edit::journal_state(kind, &*volume.bytes, 0..volume.bytes.size())?;
        if state != JournalState::NeedsReplay {
            return Ok(None);
        }
        let device = self.device(volume)?;
        let snapshot = self.scratch.snapshot();
        let replayed = fs_edit::replay_journal(kind, &device, 0..device.size())?;
        if let Some(number) = replayed.damaged {
            self.scratch.restore(snapshot);
            return Err(CarryError::Journal(number));
        }
        self.reopen(&[number]);
        Ok(Some(replayed.blocks))
    }

    fn carry_writes(&self, edited: &Edited) -> Result<(), CarryError> {
        for write in &edited.writes {
            let mut now = vec![0; write.before.len()];
            self.scratch.read_at(write.offset, &mut now)?;
            if now != write.before || write.after.len() != now.len() {
                return Err(CarryError::Mismatch(write.offset));
            }
            self.scratch.write_at(write.offset, &write.after)?;
        }
        Ok(())
    }

    fn carry_files(&self, number: usize, edited: &Edited) -> Result<(), CarryError> {
        let Some(volume) = self.volumes.get(number) else {
            return Ok(());
        };
        let device = self.device(volume)?;
        let range = 0..device.size();
        let mut editor = fs_edit::open(volume.kind, Arc::new(device), range)?;
        let changes = edited.files.iter().filter(|change| change.volume == number);
        for FileChange { path, action, .. } in changes {
            match action {
                Action::Write(data) => editor.write(path, data)?,
                Action::Append(data) => editor.append(path, data)?,
                Action::CreateFolder => editor.create_folder(path)?,
                Action::Remove => editor.remove(path)?,
                Action::Rename(name) => editor.rename(path, name)?,
            }
        }
        Ok(editor.finish()?)
    }

    /// Readers keep what they have read: after a change they are opened again. One that cannot be opened any more
    /// keeps its old reader; nothing more is planned on it then, since [`carry`](Self::carry) compares.
    fn reopen(&mut self, numbers: &[usize]) {
        for number in numbers {
            if let Some(volume) = self.volumes.get_mut(*number) {
                volume.reopen();
            }
        }
    }
}
