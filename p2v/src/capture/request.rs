//! What a person asked for.

use super::fingerprint::Fingerprint;
use super::store::{Address, Asks, Line, Way, Wish};
use crate::cli::{CaptureArgs, CompressionName};
use crate::error::{Failure, Result};
use crate::signals::Stop;
use disk::qcow2::{Compression, DEFAULT_LEVEL};
use std::path::PathBuf;

/// What was asked for, free of the command line's form.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(super) source: PathBuf,
    /// `None` for a new one in the library.
    pub(super) folder: Option<PathBuf>,
    pub(super) name: Option<String>,
    pub(super) compression: Compression,
    pub(super) allow_in_use: bool,
    pub(super) ignore_free_space: bool,
    pub(super) from_other_pc: bool,
    pub(super) retries: u32,
    pub(super) map: Option<PathBuf>,
    pub(super) restart: bool,
    pub(super) update: Option<PathBuf>,
    /// Where on another computer, and how it is reached.
    pub(super) there: Option<(Address, Way)>,
}

impl Request {
    /// Resolves defaults and refuses what contradicts itself.
    pub(crate) fn new(args: &CaptureArgs) -> Result<Self> {
        let compression = match (args.compression, args.level) {
            (CompressionName::Zstd, level) => Compression::Zstd(level.unwrap_or(DEFAULT_LEVEL)),
            (_, Some(_)) => {
                return Err(
                    Failure::refused("--level goes with --compression zstd only").advice("Leave one of them out.")
                );
            }
            (CompressionName::Zlib, None) => Compression::Zlib,
            (CompressionName::None, None) => Compression::None,
        };
        let output = args.output.as_deref().filter(|output| Address::is_meant(output));
        let way = Way {
            ssh: args.ssh.clone(),
            p2v: args.remote_p2v.clone(),
        };
        let there = output.map(Address::parse).transpose()?.map(|address| (address, way));
        if there.is_some() && args.update.is_some() {
            return Err(Failure::refused("--update and ssh:// do not go together yet").advice(
                "Capture the disk as a whole to the other computer, or update a capture on a disk of this one.",
            ));
        }
        Ok(Request {
            there,
            source: args.source.clone(),
            folder: args.output.clone().filter(|output| !Address::is_meant(output)),
            name: args.name.clone(),
            compression,
            allow_in_use: args.allow_in_use,
            ignore_free_space: args.ignore_free_space,
            from_other_pc: args.from_other_pc,
            retries: args.retries,
            map: args.map.clone(),
            restart: args.restart,
            update: args.update.clone(),
        })
    }
}

impl Request {
    /// Connects to the other computer, if it goes to one. `stop` ends the wait.
    pub(crate) fn connect(&self, asks: &Asks, stop: &Stop) -> Result<Option<Line>> {
        let there = self.there.as_ref();
        there
            .map(|(address, way)| Line::connect(address, way, asks, stop))
            .transpose()
    }

    /// The other computer that it goes to.
    pub(crate) fn host(&self) -> Option<&str> {
        self.there.as_ref().map(|(address, _)| address.host())
    }

    /// Whether `line` leads to where this goes.
    pub(crate) fn goes_over(&self, line: &Line) -> bool {
        self.there.as_ref().is_some_and(|(address, _)| line.leads_to(address))
    }

    /// The place that is meant.
    pub(super) fn wish(&self) -> Wish {
        let there = self.there.as_ref();
        let folder = match there {
            Some((address, _)) => address.path().map(str::to_owned),
            None => self.folder.as_ref().map(|folder| folder.to_string_lossy().into_owned()),
        };
        Wish {
            name: self.name.clone().filter(|_| folder.is_none()),
            folder,
            names: Vec::new(),
            restart: self.restart,
            disk: Fingerprint::default(),
        }
    }
}
