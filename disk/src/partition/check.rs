//! Whether the partitions of a table can all be true.

use super::PartitionTable;

/// Warns of partitions that overlap or leave the disk. `size` is the disk's in bytes.
pub(super) fn partitions(table: &mut PartitionTable, size: u64) {
    let mut warnings = Vec::new();
    for partition in &table.partitions {
        let number = partition.number;
        if partition.range.start >= size {
            warnings.push(format!("partition {number} starts past the end of the disk"));
        } else if partition.range.end > size {
            let missing = partition.range.end.saturating_sub(size);
            warnings.push(format!(
                "partition {number} ends {missing} bytes past the end of the disk"
            ));
        }
    }
    let mut order: Vec<_> = table
        .partitions
        .iter()
        .filter(|p| !p.container && !p.range.is_empty())
        .collect();
    order.sort_by_key(|partition| (partition.range.start, partition.number));
    // The one that reaches furthest so far: a long partition may overlap several others.
    let mut furthest = order.first().copied();
    for partition in order.into_iter().skip(1) {
        if let Some(before) = furthest
            && partition.range.start < before.range.end
        {
            warnings.push(format!("partitions {} and {} overlap", before.number, partition.number));
        }
        if furthest.is_none_or(|before| before.range.end < partition.range.end) {
            furthest = Some(partition);
        }
    }
    table.warnings.append(&mut warnings);
}
