//! A capture in a folder of this computer.

use super::base::{Base, clusters_of};
use super::journal::{self, Begun, Copied, Record, Records};
use super::past::Past;
use super::syncer::{SyncError, Syncer};
use super::{Concluded, Conclusion, Packed, Sink, Store, UNSAFE, frame};
use crate::capture::fingerprint::Fingerprint;
use crate::capture::pipeline::write_failure;
use crate::capture::progress::Progress;
use crate::capture::rescue::Kept;
use crate::capture::rescue::map::Status;
use crate::error::{Failure, Result};
use crate::machine::firmware::FirmwareFile;
use crate::machine::{DISK, JOURNAL, MACHINE, NewFolder, RESCUED};
use crate::signals::Stop;
use disk::ExtentSet;
use disk::qcow2::{Compression, Qcow2Error, Writer, WriterOptions};
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After so many bytes, or so much time, what was stored is made safe.
const STEP: u64 = 8 << 20;
const STEP_TIME: Duration = Duration::from_secs(3);

/// What a capture needs to know to be stored.
pub(crate) struct Place<'a> {
    /// The machine folder.
    pub(crate) folder: &'a Path,
    /// Size of the disk in bytes.
    pub(crate) size: u64,
    /// The image's cluster size as a power of two.
    pub(crate) cluster_bits: u32,
    /// How it is compressed.
    pub(crate) compression: Compression,
    /// What it lies on.
    pub(crate) base: Option<&'a Arc<Base>>,
}

impl Place<'_> {
    fn options(&self) -> WriterOptions {
        WriterOptions {
            virtual_size: self.size,
            cluster_bits: self.cluster_bits,
            compression: self.compression,
        }
    }
}

/// The capture.
pub(crate) struct Local {
    pub(super) folder: NewFolder,
    pub(super) size: u64,
    pub(super) image: PathBuf,
    pub(super) journal: PathBuf,
    /// `None` once the image is finished.
    pub(super) writer: Option<Writer>,
    /// What was read late, and how much of it was said to be so in the journal.
    pub(super) kept: Option<Arc<Kept>>,
    rescued: PathBuf,
    pub(super) left: ExtentSet,
    pub(super) base: Option<Arc<Base>>,
    syncer: Syncer,
    pending: Copied,
    statuses: Vec<(u64, u64, Status)>,
    kept_more: bool,
    /// Bytes that were stored since the last step began.
    pending_bytes: u64,
    /// Bytes that are being made safe.
    syncing_bytes: u64,
    last_step: Instant,
    /// Whether there is something worth going on with.
    worth: bool,
}

impl Local {
    /// Begins a capture in a new folder.
    pub(crate) fn create(place: &Place<'_>, disk: Fingerprint, used: &ExtentSet) -> Result<Self> {
        let mut folder = NewFolder::create(place.folder)?;
        // First made, last removed: without it nobody knows what the others are.
        let journal = folder.own_file(JOURNAL);
        let (image, rescued) = (folder.start_file(DISK), folder.start_file(RESCUED));
        let mut begun = Begun::new(disk, place.cluster_bits, place.compression);
        begun.base = place.base.map(|base| base.name_from(place.folder)).transpose()?;
        let begin = || -> io::Result<File> {
            let mut file = File::create_new(&journal)?;
            file.write_all(&journal::beginning(begun, used)?)?;
            file.sync_all()?;
            Ok(file)
        };
        let journal_file = begin().map_err(|error| Failure::target_write(&journal, &error))?;
        let writer = Writer::create(&image, place.options()).map_err(|error| write_failure(&image, error))?;
        folder.sync()?;
        Local::new(folder, place, writer, journal_file, rescued)
    }

    /// Goes on with the one that `past` speaks of.
    pub(crate) fn resume(place: &Place<'_>, past: &Past) -> Result<Self> {
        let mut folder = NewFolder::reopen(place.folder)?;
        let (image, rescued) = (folder.start_file(DISK), folder.start_file(RESCUED));
        let journal = folder.own_file(JOURNAL);
        let failed = |error| Failure::target_write(&journal, &error);
        let open = || -> io::Result<File> {
            let file = File::options().append(true).open(&journal)?;
            file.set_len(past.length)?;
            Ok(file)
        };
        let journal_file = open().map_err(failed)?;
        let records = Records::open(&journal, past.length).map_err(failed)?;
        let clusters = records.flat_map(|record| match record {
            Ok((Record::Copied(copied), _)) => copied.clusters.into_iter().map(Ok).collect(),
            Ok(_) => Vec::new(),
            Err(error) => vec![Err(error)],
        });
        let writer = Writer::resume(&image, place.options(), past.image, clusters).map_err(|error| {
            write_failure(&image, error).advice(
                "What was copied before does not fit together any more. `--restart` throws it away and starts anew.",
            )
        })?;
        let mut local = Local::new(folder, place, writer, journal_file, rescued)?;
        local.left = past.left.clone();
        local.worth = true;
        if !past.late.is_empty() {
            let kept = Kept::open(&local.rescued, &past.late, place.size);
            local.kept = Some(Arc::new(
                kept.map_err(|error| Failure::target_write(&local.rescued, &error))?,
            ));
        }
        Ok(local)
    }

    fn new(folder: NewFolder, place: &Place<'_>, mut writer: Writer, journal: File, rescued: PathBuf) -> Result<Self> {
        let image = writer.path().to_owned();
        if let Some(base) = place.base {
            let name = base.name_from(folder.path())?;
            writer.lie_on(&name).map_err(|error| write_failure(&image, error))?;
        }
        let file = writer.file().map_err(|error| write_failure(&image, error))?;
        let journal_path = folder.path().join(JOURNAL);
        Ok(Local {
            syncer: Syncer::new((file, image.clone()), (journal, journal_path.clone())),
            folder,
            size: place.size,
            image,
            journal: journal_path,
            writer: Some(writer),
            kept: None,
            rescued,
            left: ExtentSet::new(),
            base: place.base.cloned(),
            pending: Copied::default(),
            statuses: Vec::new(),
            kept_more: false,
            pending_bytes: 0,
            syncing_bytes: 0,
            last_step: Instant::now(),
            worth: false,
        })
    }

    pub(super) fn writer(&mut self) -> Result<&mut Writer> {
        self.writer
            .as_mut()
            .ok_or_else(|| Failure::failed("the image is finished already: this is a bug in p2v"))
    }

    /// Makes what was stored safe, now and then.
    fn step(&mut self) -> Result<()> {
        self.look(false)?;
        let due = self.pending_bytes >= STEP || self.last_step.elapsed() >= STEP_TIME;
        if due && !self.syncer.is_busy() {
            self.begin_step()?;
        }
        if self.pending_bytes + self.syncing_bytes >= UNSAFE {
            self.look(true)?;
            self.begin_step()?;
        }
        Ok(())
    }

    fn look(&mut self, wait: bool) -> Result<()> {
        let failed = |(path, error): SyncError| Failure::target_write(&path, &error);
        self.syncer.look(wait).map_err(failed)?;
        if !self.syncer.is_busy() && self.syncing_bytes > 0 {
            self.syncing_bytes = 0;
            self.worth = true;
            // From here on another run has something to go on with.
            self.folder.keep();
        }
        Ok(())
    }

    fn begin_step(&mut self) -> Result<()> {
        self.last_step = Instant::now();
        let mut records = Vec::new();
        let journal = self.journal.clone();
        let failed = |error| Failure::target_write(&journal, &error);
        if !self.pending.chunks.is_empty() || !self.pending.left.is_empty() {
            let image = self.image.clone();
            let mut pending = std::mem::take(&mut self.pending);
            pending.image = self.writer()?.flush().map_err(|error| write_failure(&image, error))?;
            records.extend(frame::encode(&Record::Copied(pending), &[]).map_err(failed)?);
        }
        if !self.statuses.is_empty() {
            let statuses = std::mem::take(&mut self.statuses);
            records.extend(frame::encode(&Record::Read(statuses), &[]).map_err(failed)?);
        }
        if records.is_empty() {
            return Ok(());
        }
        // Never 0: it says that something is under way.
        self.syncing_bytes = std::mem::take(&mut self.pending_bytes).max(1);
        let late = self.kept.clone().filter(|_| std::mem::take(&mut self.kept_more));
        self.syncer.begin(records, late);
        Ok(())
    }
}

/// Appends what of a chunk must be stored; the answer is numbers and L2 entries of its clusters.
pub(super) fn append(
    writer: &mut Writer,
    base: Option<&Base>,
    size: u64,
    chunk: Packed,
) -> std::result::Result<Vec<(u64, u64)>, Qcow2Error> {
    let clusters = match base {
        Some(base) => {
            let all = clusters_of(chunk.index, size, writer.options().cluster_bits);
            base.changes(chunk, all)
        }
        None => chunk.clusters,
    };
    let mut entries = Vec::with_capacity(clusters.len());
    for (number, data) in &clusters {
        entries.extend(writer.append(*number, data)?.map(|entry| (*number, entry)));
    }
    Ok(entries)
}

impl Sink for Local {
    fn append(&mut self, chunk: Packed) -> Result<()> {
        let done = (chunk.index, chunk.hash.map(|hash| *hash.as_bytes()));
        let read = chunk.read;
        let (image, base, size) = (self.image.clone(), self.base.clone(), self.size);
        let appended = append(self.writer()?, base.as_deref(), size, chunk);
        // Only a chunk of which all is in the image is done.
        self.pending
            .clusters
            .extend(appended.map_err(|error| write_failure(&image, error))?);
        self.pending.chunks.push(done);
        self.pending_bytes += read;
        self.step()
    }

    fn leave(&mut self, ranges: &[Range<u64>]) -> Result<()> {
        self.left.extend(ranges.iter().cloned());
        let pairs = ranges.iter().map(|range| (range.start, range.end - range.start));
        self.pending.left.extend(pairs);
        self.step()
    }
}

impl Store for Local {
    fn keep_firmware(&mut self, files: &[FirmwareFile]) -> Result<()> {
        self.folder.write_firmware(files)
    }

    fn begin_late(&mut self, set: &ExtentSet) -> Result<()> {
        // What it is in addition to comes first.
        self.suspend()?;
        let failed = |error| Failure::target_write(&self.rescued, &error);
        let kept = match self.kept.take() {
            Some(kept) => kept.share().with(set),
            None => Kept::create(&self.rescued, set, self.size).map_err(failed)?,
        };
        self.kept = Some(Arc::new(kept));
        self.folder.sync()?;
        let records = journal::late(set).map_err(|error| Failure::target_write(&self.journal, &error))?;
        self.syncing_bytes = 1;
        self.syncer.begin(records, None);
        self.look(true)
    }

    fn keep(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let written = match &self.kept {
            Some(kept) => kept.write(offset, bytes),
            None => Err(io::ErrorKind::InvalidInput.into()),
        };
        written.map_err(|error| Failure::target_write(&self.rescued, &error))?;
        self.kept_more = true;
        self.pending_bytes += bytes.len() as u64;
        Ok(())
    }

    fn note(&mut self, range: Range<u64>, status: Status) -> Result<()> {
        match self.statuses.last_mut() {
            Some((start, length, last)) if *last == status && *start + *length == range.start => {
                *length += range.end - range.start;
            }
            _ => self.statuses.push((range.start, range.end - range.start, status)),
        }
        self.step()
    }

    fn is_worth(&self) -> bool {
        self.worth
    }

    fn suspend(&mut self) -> Result<bool> {
        if self.writer.is_some() {
            self.look(true)?;
            self.begin_step()?;
            self.look(true)?;
        }
        Ok(self.worth)
    }

    fn conclude(&mut self, conclusion: &Conclusion, progress: &Progress, stop: &Stop) -> Result<Concluded> {
        self.suspend()?;
        let concluded = super::conclude::files(self, conclusion, progress, stop)?;
        self.folder.write_file(MACHINE, conclusion.machine.as_bytes())?;
        self.folder.sync()?;
        self.folder.finish(&[JOURNAL, RESCUED]);
        Ok(concluded)
    }
}
