//! A capture in a folder of another computer: the system's ssh starts p2v there, which stores what comes.

use super::address::Address;
use super::journal::{self, Begun};
use super::past::Past;
use super::ssh::{Asks, Ssh, Way};
use super::wire::{self, ALIVE, Answer, Order, VERSION, Wish};
use super::{Concluded, Conclusion, Packed, Sink, Store, frame};
use crate::capture::fingerprint::Fingerprint;
use crate::capture::progress::Progress;
use crate::capture::rescue::map::Status;
use crate::capture::resume::Before;
use crate::error::{Failure, Result};
use crate::machine::firmware::FirmwareFile;
use crate::signals::Stop;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use disk::ExtentSet;
use disk::qcow2::{Compression, EncodedCluster};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::Range;
use std::process::ChildStdin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that were read, were sent, and are not known to have come.
const UNDER_WAY: u64 = 8 << 20;
/// Ranges in one order.
const RANGES: usize = 100_000;
/// How often somebody looks for Ctrl-C while the other computer is waited for.
const POLL: Duration = Duration::from_millis(100);

/// What was found there.
pub(crate) struct Found {
    /// The machine folder.
    pub(crate) folder: String,
    /// Bytes free there.
    pub(crate) free: u64,
    /// What is in it.
    pub(crate) before: Before,
}

/// The connection.
pub(crate) struct Remote {
    host: String,
    ssh: Ssh,
    to: Arc<Mutex<ChildStdin>>,
    answers: Receiver<io::Result<Answer>>,
    /// Those that somebody will ask for.
    asked_for: VecDeque<Answer>,
    under_way: u64,
    /// Whether something was taken there, now or before.
    worth: bool,
    /// Ends the thread that says that this one is there.
    _alive: Sender<()>,
}

impl Remote {
    /// Connects. `stop` ends the wait.
    pub(super) fn connect(address: &Address, way: &Way, asks: &Asks, stop: &Stop) -> Result<Self> {
        let (ssh, to, from) = Ssh::start(address, way, asks)?;
        let to = Arc::new(Mutex::new(to));
        let mut remote = Remote {
            host: address.host().to_owned(),
            ssh,
            answers: wire::messages(from, None, |bytes| frame::decode(&bytes).map(|(answer, _)| answer)),
            asked_for: VecDeque::new(),
            _alive: stay_alive(Arc::clone(&to)),
            to,
            under_way: 0,
            worth: false,
        };
        match remote.wait(Some(stop))? {
            Answer::Hello { version: VERSION, .. } => Ok(remote),
            Answer::Hello { p2v, .. } => {
                let ours = env!("CARGO_PKG_VERSION");
                Err(
                    Failure::refused(format!("p2v on {} is version {p2v}, this one is {ours}", remote.host))
                        .advice("Use the same version of p2v on both."),
                )
            }
            _ => Err(remote.not_understood()),
        }
    }

    /// Whether the connection still stands, as far as is known.
    pub(super) fn is_there(&mut self) -> bool {
        self.ssh.is_there()
    }

    /// Asks what is in a place. After a refusal another place can be asked for. `stop` ends the wait.
    pub(crate) fn ask(&mut self, wish: Wish, stop: &Stop) -> Result<Found> {
        self.send(&Order::Ask(wish), &[])?;
        let Answer::Found {
            folder,
            free,
            throw_away,
            past,
        } = self.wait(Some(stop))?
        else {
            return Err(self.not_understood());
        };
        let before = match (past, throw_away) {
            (true, _) => Before::Past(Box::new(self.past()?)),
            (false, true) => Before::ThrowAway,
            (false, false) => Before::Nothing,
        };
        Ok(Found { folder, free, before })
    }

    fn past(&mut self) -> Result<Past> {
        let mut records = Vec::new();
        loop {
            match self.wait(None)? {
                Answer::Past(record) => records.push(Ok((record, 0))),
                Answer::PastEnds => break,
                _ => return Err(self.not_understood()),
            }
        }
        Past::of(records).ok().flatten().ok_or_else(|| self.not_understood())
    }

    /// Begins the capture there, or goes on with it.
    pub(crate) fn begin(
        &mut self,
        before: &Before,
        size: u64,
        cluster_bits: u32,
        compression: Compression,
        disk: Fingerprint,
        used: &ExtentSet,
    ) -> Result<()> {
        if let Before::Past(_) = before {
            let compression = compression.into();
            self.send(&Order::Resume { compression }, &[])?;
            self.worth = true;
        } else {
            let begun = Begun::new(disk, cluster_bits, compression);
            let compression = compression.into();
            self.send(&Order::Create { size, compression }, &[])?;
            for record in journal::first_records(begun, used) {
                self.send(&Order::Known(record), &[])?;
            }
        }
        match self.wait(None)? {
            Answer::Ready => Ok(()),
            _ => Err(self.not_understood()),
        }
    }

    fn not_understood(&self) -> Failure {
        Failure::failed(format!("what answers on {} is no p2v of this version", self.host))
            .advice("Is something printed by the login scripts there? `ssh HOST true` must print nothing.")
    }

    fn send(&mut self, order: &Order, body: &[&[u8]]) -> Result<()> {
        let bytes = frame::encode(order, body);
        let sent = bytes.and_then(|bytes| {
            let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
            to.write_all(&bytes)?;
            to.flush()
        });
        match sent {
            Ok(()) => self.look(),
            Err(_) => Err(self.ended()),
        }
    }

    /// Takes answers that have come, without waiting.
    fn look(&mut self) -> Result<()> {
        while let Ok(answer) = self.answers.try_recv() {
            self.take(answer)?;
        }
        Ok(())
    }

    fn take(&mut self, answer: io::Result<Answer>) -> Result<()> {
        match answer {
            Ok(Answer::Taken(bytes)) => {
                self.under_way = self.under_way.saturating_sub(bytes);
                self.worth = true;
            }
            Ok(Answer::Failed { exit, what, advice }) => {
                return Err(wire::failure(exit, &what, advice, &self.host));
            }
            Ok(answer) => self.asked_for.push_back(answer),
            Err(_) => return Err(self.not_understood()),
        }
        Ok(())
    }

    /// The next answer that is asked for.
    fn wait(&mut self, stop: Option<&Stop>) -> Result<Answer> {
        loop {
            if let Some(answer) = self.asked_for.pop_front() {
                return Ok(answer);
            }
            if let Some(stop) = stop {
                stop.check()?;
            }
            match self.answers.recv_timeout(POLL) {
                Ok(answer) => self.take(answer)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        }
    }

    /// Why there is nobody any more.
    fn ended(&mut self) -> Failure {
        // The last word may be an explanation.
        while let Ok(answer) = self.answers.recv_timeout(POLL * 50) {
            if let Err(failure) = self.take(answer) {
                return failure;
            }
        }
        self.ssh.ended()
    }

    fn send_ranges(&mut self, set: &ExtentSet, order: fn(Vec<(u64, u64)>) -> Order) -> Result<()> {
        let pairs = journal::pairs(set);
        pairs
            .chunks(RANGES)
            .try_for_each(|pairs| self.send(&order(pairs.to_vec()), &[]))
    }
}

/// Says now and then that this computer is there: a failing disk can keep it silent for long.
fn stay_alive(to: Arc<Mutex<ChildStdin>>) -> Sender<()> {
    let (alive, ends) = bounded::<()>(0);
    thread::spawn(move || {
        while let Err(RecvTimeoutError::Timeout) = ends.recv_timeout(ALIVE) {
            // If somebody is sending just now, that says it too.
            if let Ok(mut to) = to.try_lock()
                && wire::send(&mut *to, &Order::Alive, &[])
                    .and_then(|()| to.flush())
                    .is_err()
            {
                return;
            }
        }
    });
    alive
}

impl Sink for Remote {
    fn append(&mut self, chunk: Packed) -> Result<()> {
        let mut clusters = Vec::with_capacity(chunk.clusters.len());
        let mut body: Vec<&[u8]> = Vec::with_capacity(chunk.clusters.len());
        for (number, cluster) in &chunk.clusters {
            let (compressed, data) = match cluster {
                EncodedCluster::Zero => continue,
                EncodedCluster::Compressed(data) => (true, data),
                EncodedCluster::Plain(data) => (false, data),
            };
            clusters.push((*number, compressed, u32::try_from(data.len()).unwrap_or(u32::MAX)));
            body.push(data);
        }
        let order = Order::Append {
            index: chunk.index,
            read: chunk.read,
            hash: chunk.hash.map(|hash| *hash.as_bytes()),
            clusters,
        };
        self.under_way += chunk.read;
        self.send(&order, &body)?;
        while self.under_way > UNDER_WAY {
            match self.answers.recv() {
                Ok(answer) => self.take(answer)?,
                Err(_) => return Err(self.ended()),
            }
        }
        Ok(())
    }

    fn leave(&mut self, ranges: &[Range<u64>]) -> Result<()> {
        let pairs = ranges.iter().map(|range| (range.start, range.end - range.start));
        self.send(&Order::Leave(pairs.collect()), &[])
    }
}

impl Store for Remote {
    fn keep_firmware(&mut self, files: &[FirmwareFile]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let length = |file: &FirmwareFile| u32::try_from(file.bytes.len()).unwrap_or(u32::MAX);
        let names = files.iter().map(|file| (file.name.clone(), length(file))).collect();
        let bodies: Vec<&[u8]> = files.iter().map(|file| &*file.bytes).collect();
        self.send(&Order::Firmware(names), &bodies)?;
        match self.wait(None)? {
            Answer::Ready => Ok(()),
            _ => Err(self.not_understood()),
        }
    }

    fn begin_late(&mut self, set: &ExtentSet) -> Result<()> {
        self.send_ranges(set, Order::Late)?;
        self.send(&Order::BeginLate, &[])
    }

    fn keep(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.send(&Order::Keep(offset), &[bytes])
    }

    fn note(&mut self, range: Range<u64>, status: Status) -> Result<()> {
        self.send(&Order::Note(range.start, range.end - range.start, status), &[])
    }

    fn is_worth(&self) -> bool {
        self.worth
    }

    fn suspend(&mut self) -> Result<bool> {
        self.send(&Order::Suspend, &[])?;
        match self.wait(None)? {
            Answer::Safe(safe) => Ok(safe),
            _ => Err(self.not_understood()),
        }
    }

    fn conclude(&mut self, conclusion: &Conclusion, progress: &Progress, stop: &Stop) -> Result<Concluded> {
        self.send_ranges(&conclusion.used, Order::Used)?;
        let map: Vec<_> = conclusion
            .map
            .iter()
            .map(|(range, status)| (range.start, range.end - range.start, status))
            .collect();
        for map in map.chunks(RANGES) {
            self.send(&Order::Map(map.to_vec()), &[])?;
        }
        let order = Order::Conclude {
            sector: conclusion.sector,
            machine: conclusion.machine.clone(),
        };
        self.send(&order, &[])?;
        progress.note("waiting for the other computer");
        let Answer::Concluded {
            image_bytes,
            chunks_with_data,
            lost,
        } = self.wait(Some(stop))?
        else {
            return Err(self.not_understood());
        };
        Ok(Concluded {
            image_bytes,
            chunks_with_data,
            lost: serde_json::from_str(&lost).map_err(|_| self.not_understood())?,
        })
    }
}
