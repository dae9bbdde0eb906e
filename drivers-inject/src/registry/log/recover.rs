//! Finishing a dirty hive from its logs.

use super::error::{LogError, Unusable};
use super::plan::{Dirty, Plan, plan};
use crate::registry::base_block::{self, BaseBlock, at};
use crate::registry::bytes::{index, put, put_u32};
use crate::registry::{Hive, HiveError};

/// A hive that is completely written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The bytes of the hive file.
    pub bytes: Vec<u8>,
    /// Log entries replayed, each of them one write; 0 if the hive was clean.
    pub entries: usize,
    /// Valid entries that were not replayed since one before them is missing. Windows ignores them, too.
    pub skipped: usize,
}

/// Finishes the hive in `primary` from its transaction `logs` (`.LOG`, `.LOG1`, `.LOG2`, as many as there are, in any
/// order). Both sequence numbers are then one more than the last write's. A clean hive is returned as it is, whatever
/// its logs hold.
///
/// # Errors
/// A dirty hive without logs that finish it, and one that is damaged even then.
pub fn recover(primary: Vec<u8>, logs: &[Vec<u8>]) -> Result<Recovered, LogError> {
    let base = BaseBlock::parse(&primary);
    if base.as_ref().is_ok_and(|base| !base.is_dirty()) {
        return Ok(Recovered {
            bytes: primary,
            entries: 0,
            skipped: 0,
        });
    }
    if primary.len() < base_block::SIZE {
        return Err(LogError::Hive(HiveError::NotAHive("it is shorter than 4096 bytes")));
    }
    let believed = base.as_ref().ok().filter(|base| base.is_intact());
    let dirty = Dirty {
        file: &primary,
        base: believed,
    };
    let plan = match (plan(&dirty, logs), base.as_ref()) {
        (Ok(plan), _) => plan,
        (Err(_), Err(error)) => return Err(LogError::Hive(error.clone())),
        (Err(reasons), Ok(_)) => return Err(refusal(&reasons)),
    };
    let (entries, skipped) = (plan.writes.len(), plan.skipped);
    let file = carry_out(&plan, believed.is_some(), primary);
    let hive = Hive::parse(file)?;
    hive.verify().map_err(LogError::Unsound)?;
    Ok(Recovered {
        bytes: hive.into_bytes(),
        entries,
        skipped,
    })
}

/// Writes what is planned. The file gets longer where the bins do.
fn carry_out(plan: &Plan<'_>, keep_base: bool, mut file: Vec<u8>) -> Vec<u8> {
    // Everything lies inside of the file: it is at least as long as a base block, and made as long as the bins, which
    // have room for each page.
    if !keep_base {
        let _ = put(&mut file, 0, plan.base);
        let _ = put_u32(&mut file, at::FILE_TYPE, base_block::PRIMARY);
    }
    for write in &plan.writes {
        let end = index(write.bins_size).saturating_add(base_block::SIZE);
        if file.len() < end {
            file.resize(end, 0);
        }
        for (offset, page) in &write.pages {
            let _ = put(&mut file, offset.saturating_add(base_block::SIZE), page);
        }
        let _ = put_u32(&mut file, at::BINS_SIZE, write.bins_size);
        if let Some(flags) = write.flags {
            let _ = put_u32(&mut file, at::FLAGS, flags);
        }
    }
    let _ = base_block::seal(&mut file, plan.sequence.wrapping_add(1));
    file
}

fn refusal(reasons: &[(usize, Unusable)]) -> LogError {
    if reasons.iter().all(|(_, reason)| *reason == Unusable::Empty) {
        return LogError::Missing;
    }
    let each = reasons
        .iter()
        .map(|(number, reason)| format!("log {}: {reason}", number.saturating_add(1)));
    LogError::Unusable(each.collect::<Vec<_>>().join("; "))
}
