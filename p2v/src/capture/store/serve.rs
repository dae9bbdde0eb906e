//! The computer that stores, while another one copies: orders come in, answers go out.

use super::journal::Record;
use super::local::{Local, Place};
use super::past::Past;
use super::wire::{self, Answer, DEAD, Order, VERSION, Wish};
use super::{Conclusion, Packed, Sink, Store, frame, journal};
use crate::capture::progress::Progress;
use crate::capture::rescue::map::StatusMap;
use crate::capture::resume::{self, Before};
use crate::capture::target;
use crate::error::{Exit, Failure, Result};
use crate::machine::NewFolder;
use crate::machine::firmware::{self, FirmwareFile};
use crate::signals::Stop;
use blake3::Hash;
use crossbeam_channel::Receiver;
use disk::ExtentSet;
use disk::qcow2::EncodedCluster;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Orders that wait.
const WAITING: usize = 4;

/// Serves one capture, to its end or to that of the connection.
pub(crate) fn serve(from: impl Read + Send + 'static, to: impl Write) -> Result<()> {
    let mut server = Server {
        to,
        // A connection that is silent for too long must be noticed.
        orders: wire::messages(from, Some(WAITING), Ok),
        folder: PathBuf::new(),
        before: Before::Nothing,
        local: None,
        late: ExtentSet::new(),
        used: ExtentSet::new(),
        map: Vec::new(),
    };
    let served = server.run();
    if let Err(failure) = &served {
        // What was safe before stays so if this fails.
        if let Some(local) = &mut server.local {
            let _ = local.suspend();
        }
        let _ = server.answer(&Answer::failed(failure));
    }
    served
}

struct Server<W: Write> {
    to: W,
    orders: Receiver<io::Result<Vec<u8>>>,
    folder: PathBuf,
    before: Before,
    local: Option<Local>,
    late: ExtentSet,
    used: ExtentSet,
    map: Vec<(u64, u64, crate::capture::rescue::map::Status)>,
}

fn broken(error: &io::Error) -> Failure {
    Failure::failed(format!("the connection is damaged: {error}"))
}

fn out_of_order() -> Failure {
    Failure::failed("the other computer's p2v says what is not understood here")
        .advice("Use the same version of p2v on both.")
}

impl<W: Write> Server<W> {
    fn answer(&mut self, answer: &Answer) -> Result<()> {
        let sent = wire::send(&mut self.to, answer, &[]).and_then(|()| self.to.flush());
        sent.map_err(|error| broken(&error))
    }

    fn run(&mut self) -> Result<()> {
        self.answer(&Answer::Hello {
            version: VERSION,
            p2v: env!("CARGO_PKG_VERSION").to_owned(),
        })?;
        let (mut begun, mut known) = (None, Vec::new());
        loop {
            let order = match self.orders.recv_timeout(DEAD) {
                Ok(order) => order.map_err(|error| broken(&error))?,
                Err(_) => {
                    // The other computer is gone. What came is kept; it can go on from there.
                    if let Some(local) = &mut self.local {
                        local.suspend()?;
                    }
                    return Ok(());
                }
            };
            let (order, body): (Order, &[u8]) = frame::decode(&order).map_err(|error| broken(&error))?;
            match order {
                Order::Alive => {}
                Order::Ask(wish) => match self.look(&wish) {
                    // Another place may do.
                    Err(failure) if self.local.is_none() && failure.exit == Exit::Refused => {
                        self.answer(&Answer::failed(&failure))?;
                    }
                    looked => looked?,
                },
                Order::Create { size, compression } => begun = Some((size, compression.into())),
                Order::Known(record) => {
                    let ready = record == Record::Ready;
                    known.push(record);
                    if ready {
                        let (size, compression) = begun.take().ok_or_else(out_of_order)?;
                        self.create(size, compression, std::mem::take(&mut known))?;
                    }
                }
                Order::Resume { compression } => self.resume(compression.into())?,
                Order::Conclude { sector, machine } => return self.conclude(sector, machine),
                order => self.store(order, body)?,
            }
        }
    }

    fn look(&mut self, wish: &Wish) -> Result<()> {
        let (folder, before) = resume::choose(wish)?;
        target::check_writable(&folder)?;
        let free = target::room(&folder)?;
        self.answer(&Answer::Found {
            folder: folder.to_string_lossy().into_owned(),
            free,
            throw_away: matches!(before, Before::ThrowAway),
            past: matches!(before, Before::Past(_)),
        })?;
        if let Before::Past(past) = &before {
            for record in past.condensed() {
                self.answer(&Answer::Past(record))?;
            }
            self.answer(&Answer::PastEnds)?;
        }
        (self.folder, self.before) = (folder, before);
        Ok(())
    }

    fn create(&mut self, size: u64, compression: disk::qcow2::Compression, known: Vec<Record>) -> Result<()> {
        let past = Past::of(known.into_iter().map(|record| Ok((record, 0)))).map_err(|error| broken(&error))?;
        let past = past.ok_or_else(out_of_order)?;
        if let Before::ThrowAway = self.before {
            NewFolder::discard(&self.folder)?;
        }
        let place = Place {
            folder: &self.folder,
            size,
            cluster_bits: past.begun.cluster_bits,
            compression,
            base: None,
        };
        self.local = Some(Local::create(&place, past.begun.disk.clone(), &past.used)?);
        self.answer(&Answer::Ready)
    }

    fn resume(&mut self, compression: disk::qcow2::Compression) -> Result<()> {
        let Before::Past(past) = &self.before else {
            return Err(out_of_order());
        };
        let place = Place {
            folder: &self.folder,
            size: past.begun.disk.size(),
            cluster_bits: past.begun.cluster_bits,
            compression,
            base: None,
        };
        self.local = Some(Local::resume(&place, past)?);
        self.answer(&Answer::Ready)
    }

    fn store(&mut self, order: Order, body: &[u8]) -> Result<()> {
        let local = self.local.as_mut().ok_or_else(out_of_order)?;
        let ranges = |pairs: &[(u64, u64)]| journal::set(pairs).map_err(|error| broken(&error));
        match order {
            Order::Append {
                index,
                read,
                hash,
                clusters,
            } => {
                local.append(Packed {
                    index,
                    read,
                    hash: hash.map(Hash::from_bytes),
                    clusters: unpack(&clusters, body)?,
                })?;
                self.answer(&Answer::Taken(read))
            }
            Order::Firmware(names) => {
                local.keep_firmware(&unpack_firmware(names, body)?)?;
                self.answer(&Answer::Ready)
            }
            Order::Leave(pairs) => local.leave(&ranges(&pairs)?.iter().collect::<Vec<_>>()),
            Order::Late(pairs) => {
                self.late.extend(ranges(&pairs)?.iter());
                Ok(())
            }
            Order::BeginLate => local.begin_late(&std::mem::take(&mut self.late)),
            Order::Keep(offset) => local.keep(offset, body),
            Order::Note(start, length, status) => {
                let end = start.checked_add(length).ok_or_else(out_of_order)?;
                local.note(start..end, status)
            }
            Order::Suspend => {
                let safe = local.suspend()?;
                self.answer(&Answer::Safe(safe))
            }
            Order::Used(pairs) => {
                self.used.extend(ranges(&pairs)?.iter());
                Ok(())
            }
            Order::Map(ranges) => {
                self.map.extend(ranges);
                Ok(())
            }
            _ => Err(out_of_order()),
        }
    }

    fn conclude(&mut self, sector: u32, machine: String) -> Result<()> {
        let ranges = std::mem::take(&mut self.map).into_iter();
        let map: Option<StatusMap> = ranges
            .map(|(start, length, status)| Some((start..start.checked_add(length)?, status)))
            .collect();
        let conclusion = Conclusion {
            sector,
            used: std::mem::take(&mut self.used),
            map: map.ok_or_else(out_of_order)?,
            machine,
        };
        let local = self.local.as_mut().ok_or_else(out_of_order)?;
        let progress = Progress::new("", 0, true);
        let concluded = local.conclude(&conclusion, &progress, &Stop::default())?;
        let lost = serde_json::to_string(&concluded.lost).map_err(|error| Failure::failed(error.to_string()))?;
        self.answer(&Answer::Concluded {
            image_bytes: concluded.image_bytes,
            chunks_with_data: concluded.chunks_with_data,
            lost,
        })
    }
}

/// The files that follow an [`Order::Firmware`].
fn unpack_firmware(names: Vec<(String, u32)>, mut body: &[u8]) -> Result<Vec<FirmwareFile>> {
    let mut files: Vec<FirmwareFile> = Vec::new();
    for (name, length) in names {
        let known = firmware::is_ours(&name) && files.iter().all(|file| file.name != name);
        let split = body.split_at_checked(length as usize);
        let (bytes, rest) = split.filter(|_| known).ok_or_else(out_of_order)?;
        body = rest;
        let bytes = bytes.to_vec();
        files.push(FirmwareFile { name, bytes });
    }
    Ok(files)
}

/// The clusters that follow an [`Order::Append`].
fn unpack(clusters: &[(u64, bool, u32)], mut body: &[u8]) -> Result<Vec<(u64, EncodedCluster)>> {
    let mut unpacked = Vec::with_capacity(clusters.len().min(1 << 12));
    for (number, compressed, length) in clusters {
        let split = body.split_at_checked(*length as usize);
        let (data, rest) = split.ok_or_else(|| Failure::new(Exit::Failed, "a chunk came without its clusters"))?;
        body = rest;
        let data = data.to_vec();
        let cluster = if *compressed {
            EncodedCluster::Compressed(data)
        } else {
            EncodedCluster::Plain(data)
        };
        unpacked.push((*number, cluster));
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_p2v_makes_are_taken_and_only_whole() {
        let names = |names: &[(&str, u32)]| {
            names
                .iter()
                .map(|(name, length)| ((*name).to_owned(), *length))
                .collect()
        };
        let files = unpack_firmware(names(&[("SLIC", 3), ("dmi", 2)]), b"12345").unwrap();
        let files: Vec<_> = files.iter().map(|file| (&*file.name, &*file.bytes)).collect();
        assert_eq!(files, [("SLIC", &b"123"[..]), ("dmi", b"45")]);
        for bad in [
            &[("../machine.toml", 1)][..],
            &[("/etc/passwd", 1)],
            &[("", 1)],
            &[("dmi", 1), ("dmi", 1)],
            &[("dmi", 6)],
            &[("dmi", 3), ("SLIC", u32::MAX)],
        ] {
            assert!(unpack_firmware(names(bad), b"12345").is_err(), "{bad:?}");
        }
    }
}
