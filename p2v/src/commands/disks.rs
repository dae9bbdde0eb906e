//! `p2v disks`: which disks this computer has.

use crate::cli::DisksArgs;
use crate::error::{Failure, Result, print, print_json};
use crate::report::{self, Table};
use disk::source::SourceInfo;

/// Lists them.
pub(crate) fn run(args: &DisksArgs) -> Result<()> {
    let disks = disk::source::list_disks()
        .map_err(|error| Failure::failed(format!("cannot list the disks in /sys/block: {error}")))?;
    if args.json {
        return print_json(&disks);
    }
    if disks.is_empty() {
        return print("No disks found.\n");
    }
    print(&text(&disks))
}

fn text(disks: &[SourceInfo]) -> String {
    let mut table = Table::new(&["disk", "size", "model", "serial", "kind", "in use"], &[1]);
    for disk in disks {
        let kind = match (disk.removable, disk.rotational) {
            (true, _) => "removable",
            (_, Some(true)) => "hard disk",
            (_, Some(false)) => "SSD",
            _ => "",
        };
        let uses = disk
            .in_use
            .iter()
            .map(|used| format!("{} {}", used.device.display(), used.how));
        let uses: Vec<_> = uses.collect();
        table.row(vec![
            disk.path.display().to_string(),
            report::size(disk.size),
            disk.model.clone().unwrap_or_default(),
            disk.serial.clone().unwrap_or_default(),
            kind.to_owned(),
            uses.join("; "),
        ]);
    }
    table.text()
}
