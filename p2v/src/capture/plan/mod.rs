//! What a capture will do: resolved from the command line and the disk, before anything is written.

mod checks;
mod show;

use super::fingerprint::Fingerprint;
use super::request::Request;
use super::rescue::map::StatusMap;
use super::resume::{self, Before};
use super::store::{Asks, Base, Found, Line};
use super::{GRAIN, target};
use crate::error::{Failure, Result};
use crate::machine::firmware::{self, FirmwareFiles};
use crate::machine::{Library, Machine, describe, is_own_disk};
use crate::signals::Stop;
use crate::source::Input;
use checks::{check_use, is_partition, lost_before};
use disk::ExtentSet;
use disk::layout::DiskLayout;
use disk::qcow2::{Compression, DEFAULT_CLUSTER_BITS};
use disk::source::SourceInfo;
use drivers_inject::System;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A capture that can be carried out, printed, or dropped.
pub(crate) struct Plan {
    /// What is read.
    pub(crate) input: Input,
    /// What is known of it.
    pub(crate) info: SourceInfo,
    /// Where the result goes, on this computer or [another one](Plan::host).
    pub(crate) folder: PathBuf,
    /// The connection to the other computer, if there is one.
    pub(in crate::capture) there: Option<Line>,
    /// How the image is compressed.
    pub(crate) compression: Compression,
    /// How often sectors that cannot be read are tried again.
    pub(crate) retries: u32,
    /// What is on the disk.
    pub(crate) layout: DiskLayout,
    /// Everything the image holds: the used ranges, rounded outwards.
    pub(crate) used: ExtentSet,
    /// What must be read for it: holes of image files are known to be zeros.
    pub(crate) read: ExtentSet,
    /// What is known not to be in the image that is read (`--map`).
    pub(crate) lost: StatusMap,
    /// What is written to machine.toml.
    pub(crate) machine: Machine,
    /// What the PC's firmware says of it, if the disk is in its PC.
    pub(crate) firmware: FirmwareFiles,
    /// Operating systems found.
    pub(crate) systems: Vec<System>,
    /// How the disk is known again.
    pub(in crate::capture) fingerprint: Fingerprint,
    /// The earlier capture that it lies on.
    pub(in crate::capture) base: Option<Arc<Base>>,
    /// What an earlier run left in the folder.
    pub(in crate::capture) before: Before,
    /// Bytes free where the folder is made.
    pub(crate) free: u64,
    /// What the person should know before it starts.
    pub(crate) warnings: Vec<String>,
}

impl Plan {
    /// Opens the source, looks at it, and checks the target. Writes nothing.
    pub(crate) fn new(request: &Request) -> Result<Self> {
        // What ssh asks is asked first.
        let line = request.connect(&Asks::Terminal, &Stop::default())?;
        Plan::over(request, line, &Stop::default())
    }

    /// The same, through a connection to the other computer that is there already. `stop` ends waits for that.
    pub(crate) fn over(request: &Request, there: Option<Line>, stop: &Stop) -> Result<Self> {
        let mut wish = request.wish();
        // A place that will not do is told before the disk is looked at.
        if there.is_none() && (wish.folder.is_some() || wish.name.is_some()) {
            drop(resume::choose(&wish)?);
        }
        let input = Input::open(&request.source)?;
        let info = input.info();
        let mut warnings = check_use(&info, request.allow_in_use)?;
        let base = request
            .update
            .as_deref()
            .map(|named| Base::open(named, &info))
            .transpose()?;
        if there.is_none() {
            let place = match (&request.folder, &request.name) {
                (Some(folder), _) => folder.clone(),
                // Which folder of the library it is may depend on what is on the disk; on which file system it is does not.
                _ => Library::locate()?.path().to_owned(),
            };
            target::check_not_on_source(&info, &place)?;
        }

        let reader = input.reader();
        let unreadable = |error| Failure::source_read(&info.path, 0, info.logical_sector, &error);
        let layout = disk::layout::scan(&*reader, info.logical_sector).map_err(unreadable)?;
        let mut used = layout.used.align_outwards(GRAIN, info.size);
        let data = input
            .data_extents()
            .map_err(unreadable)?
            .align_outwards(GRAIN, info.size);
        let lost = lost_before(request.map.as_deref(), &info, &used)?;
        let found = drivers_inject::inspect(&reader, &layout);
        let systems = found.systems;
        wish.disk = Fingerprint::of(&input, &layout, &lost);
        let hosts = systems.iter().filter_map(|system| system.hostname.clone());
        wish.names = hosts.chain(info.model.clone()).collect();
        let (folder, free, before) = match &there {
            Some(line) => {
                let Found { folder, free, before } = line.ask(wish.clone(), stop)?;
                (PathBuf::from(folder), free, before)
            }
            None => {
                let (folder, before) = resume::choose(&wish)?;
                let free = target::room(&folder)?;
                (folder, free, before)
            }
        };
        let place = place_text(&folder, there.as_ref().map(Line::host));
        if let Before::Past(past) = &before {
            resume::check(
                &place,
                past,
                &input,
                &wish.disk,
                &used,
                request.compression,
                base.is_some(),
            )?;
            used = past.used.clone();
        }
        let read = intersection(&intersection(&used, &data), &lost.lost().complement(info.size));
        warnings.extend(
            layout
                .table
                .warnings
                .iter()
                .map(|warning| format!("partition table: {warning}")),
        );
        if is_partition(&info.path) {
            warnings.push("this is a partition, not a whole disk: without its partition table it cannot start".into());
        }

        if let Before::Past(past) = &before {
            resume::check_samples(past, &input, &read)?;
        }
        let still = read.bytes().saturating_sub(before.bytes_done(&read));
        target::check_room(&place, free, still, request.ignore_free_space, &mut warnings)?;
        for volume in &found.unreadable {
            warnings.push(format!(
                "no system was looked for on partition {}: {}",
                volume.partition, volume.reason
            ));
        }
        let live = is_own_disk(&info) && !request.from_other_pc;
        let firmware = match &base {
            _ if live => firmware::read(&firmware::root()),
            // The same disk, and so the same PC.
            Some(base) => base.firmware(),
            None => FirmwareFiles::default(),
        };
        let unsaved = firmware.missing.iter();
        warnings.extend(unsaved.map(|what| format!("the PC's firmware is not saved completely: {what}")));
        let name = request.name.clone().unwrap_or_else(|| name_of(&folder));
        let machine = describe(name, &info, live, &*reader, &layout, &systems);
        Ok(Plan {
            input,
            info,
            folder,
            compression: request.compression,
            retries: request.retries,
            layout,
            used,
            read,
            lost,
            machine,
            firmware,
            systems,
            fingerprint: wish.disk,
            base: base.map(Arc::new),
            there,
            before,
            free,
            warnings,
        })
    }

    /// The image's cluster size as a power of two.
    pub(in crate::capture) fn cluster_bits(&self) -> u32 {
        match &self.before {
            Before::Past(past) => past.begun.cluster_bits,
            Before::Nothing | Before::ThrowAway => DEFAULT_CLUSTER_BITS,
        }
    }

    /// The other computer that it goes to.
    pub(crate) fn host(&self) -> Option<&str> {
        self.there.as_ref().map(Line::host)
    }

    /// The folder, with the other computer if there is one.
    pub(crate) fn place(&self) -> String {
        place_text(&self.folder, self.host())
    }

    /// Bytes that an earlier run copied.
    pub(crate) fn copied_before(&self) -> u64 {
        self.before.bytes_done(&self.read)
    }
}

fn place_text(folder: &Path, host: Option<&str>) -> String {
    let folder = folder.display();
    match host {
        Some(host) => format!("{host}:{folder}"),
        None => folder.to_string(),
    }
}

/// A machine is called like its folder.
fn name_of(folder: &Path) -> String {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "oldpc".to_owned())
}

/// The bytes that are in both sets.
pub(crate) fn intersection(a: &ExtentSet, b: &ExtentSet) -> ExtentSet {
    let mut both = ExtentSet::new();
    for range in a.iter() {
        both.extend(b.within(range));
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intersection_holds_what_both_hold() {
        let a: ExtentSet = [0..10, 20..30, 40..50].into_iter().collect();
        let b: ExtentSet = [5..25, 28..41].into_iter().collect();
        let expected: ExtentSet = [5..10, 20..25, 28..30, 40..41].into_iter().collect();
        assert_eq!(intersection(&a, &b), expected);
        assert!(intersection(&a, &ExtentSet::new()).is_empty());
    }
}
