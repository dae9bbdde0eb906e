//! What logs of either format say is to be written to the hive.

use super::dirty_map;
use super::entry::Entries;
use super::error::Unusable;
use super::header::{Format, Header};
use super::sequence;
use crate::registry::base_block::{self, BaseBlock};
use crate::registry::bytes::{index, u64_at};

/// Where the first bin keeps a copy of the time in the base block.
const BIN_TIMESTAMP: usize = base_block::SIZE + 20;

/// One write to a hive.
pub(super) struct Write<'l> {
    /// Bytes of bins after it.
    pub(super) bins_size: u32,
    /// The base block's flags after it, where the log has them.
    pub(super) flags: Option<u32>,
    /// Where each page goes (bytes from the first bin), and the page.
    pub(super) pages: Vec<(usize, &'l [u8])>,
}

/// What finishes a hive.
pub(super) struct Plan<'l> {
    /// The fields of a base block, for a hive whose own cannot be believed.
    pub(super) base: &'l [u8],
    /// In their order; at least one.
    pub(super) writes: Vec<Write<'l>>,
    /// The sequence number of the last.
    pub(super) sequence: u32,
    /// Valid writes behind a gap.
    pub(super) skipped: usize,
}

/// What is known of the hive.
pub(super) struct Dirty<'h> {
    /// The file.
    pub(super) file: &'h [u8],
    /// Its base block, if that can be believed.
    pub(super) base: Option<&'h BaseBlock>,
}

/// What finishes the hive, or why each of the logs does not.
pub(super) fn plan<'l>(hive: &Dirty<'_>, logs: &'l [Vec<u8>]) -> Result<Plan<'l>, Vec<(usize, Unusable)>> {
    // Bins that were added were written to a log: they cannot be more than there is in the logs.
    let most_bins = logs
        .iter()
        .fold(hive.file.len(), |sum, log| sum.saturating_add(log.len()));
    let mut reasons = Vec::new();
    let mut headers = Vec::new();
    for (number, log) in logs.iter().enumerate() {
        match Header::parse(log) {
            Ok(header) => headers.push((number, header)),
            Err(error) => reasons.push((number, error)),
        }
    }
    if let Some(plan) = of_entries(hive, &headers, most_bins, &mut reasons) {
        return Ok(plan);
    }
    let plan = of_dirty_maps(hive, &headers, most_bins, &mut reasons);
    reasons.sort_by_key(|(number, _)| *number);
    plan.ok_or(reasons)
}

/// All entries of all logs that go on from the hive.
fn of_entries<'l>(
    hive: &Dirty<'_>,
    headers: &[(usize, Header<'l>)],
    most_bins: usize,
    reasons: &mut Vec<(usize, Unusable)>,
) -> Option<Plan<'l>> {
    let mut found = Vec::new();
    for (number, header) in headers.iter().filter(|(_, header)| header.format == Format::Entries) {
        let bytes = header.log.get(header.sector.len()..).unwrap_or_default();
        // Behind the newest entry there may be older ones, from before the log was started again.
        let entries = Entries::new(bytes, most_bins).filter(|entry| entry.sequence >= header.base.sequence1);
        found.extend(entries.map(|entry| (*number, entry)));
        reasons.push((*number, Unusable::NoEntry));
    }
    let chosen = sequence::choose(found, hive.base.map(|base| base.sequence2));
    let (first_log, _) = chosen.entries.first()?;
    let (_, header) = headers.iter().find(|(number, _)| number == first_log)?;
    let (_, last) = chosen.entries.last()?;
    Some(Plan {
        base: header.sector,
        sequence: last.sequence,
        skipped: chosen.skipped,
        writes: chosen
            .entries
            .into_iter()
            .map(|(_, entry)| Write {
                bins_size: entry.bins_size,
                flags: Some(entry.flags),
                pages: entry.pages,
            })
            .collect(),
    })
}

/// The log that belongs to the unfinished write: it has the same time.
fn of_dirty_maps<'l>(
    hive: &Dirty<'_>,
    headers: &[(usize, Header<'l>)],
    most_bins: usize,
    reasons: &mut Vec<(usize, Unusable)>,
) -> Option<Plan<'l>> {
    let time = match hive.base {
        Some(base) => Some(base.timestamp),
        None => u64_at(hive.file, BIN_TIMESTAMP),
    };
    let mut newest: Option<(u32, Plan<'l>)> = None;
    for (number, header) in headers.iter().filter(|(_, header)| header.format == Format::DirtyMap) {
        let size = header.base.bins_size;
        let pages = if Some(header.base.timestamp) != time {
            Err(Unusable::OtherWrite)
        } else if index(size) > most_bins {
            Err(Unusable::Size(size))
        } else {
            dirty_map::pages(header)
        };
        let pages = match pages {
            Ok(pages) => pages,
            Err(error) => {
                reasons.push((*number, error));
                continue;
            }
        };
        let own = header.base.sequence1;
        if newest.as_ref().is_some_and(|(newest, _)| *newest >= own) {
            continue;
        }
        let plan = Plan {
            base: header.sector,
            writes: vec![Write {
                bins_size: size,
                flags: None,
                pages,
            }],
            // The hive's own number was raised for this write already.
            sequence: own.max(hive.base.map_or(0, |base| base.sequence1)),
            skipped: 0,
        };
        newest = Some((own, plan));
    }
    newest.map(|(_, plan)| plan)
}
