//! Capture against qemu-img and partclone.

use super::measure::{Cost, median, shell};
use super::report::{Bar, Report};
use anyhow::Result;
use p2v_tests::fixtures::stale::{self, Filesystem};
use std::fs;
use std::path::{Path, PathBuf};

/// The programs that are compared, as shell commands: `$DISK` is the disk, `$VOLUME` its partition, `$OUT` a folder.
struct Rivals {
    capture: String,
    qemu_img: String,
    partclone: String,
}

/// Captures disks with and without stale data, each program in turn.
pub(super) fn compare(program: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    for filesystem in [Filesystem::Ext4, Filesystem::Ntfs] {
        for stale_data in [true, false] {
            let disk = stale::disk(filesystem, stale_data)?;
            compare_on(program, &disk, filesystem, stale_data, rounds, report)?;
        }
    }
    Ok(())
}

fn compare_on(
    program: &Path,
    disk: &Path,
    filesystem: Filesystem,
    stale_data: bool,
    rounds: usize,
    report: &mut Report,
) -> Result<()> {
    let work = tempfile_beside(disk)?;
    let folder = work.path();
    let volume = folder.join("volume");
    stale::partition_of(disk, &volume)?;
    let rivals = Rivals {
        capture: format!("'{}' capture --quiet '{}' -o out", program.display(), disk.display()),
        qemu_img: format!(
            "qemu-img convert -c -O qcow2 -o compression_type=zstd -m 16 -W -f raw '{}' out.qcow2",
            disk.display()
        ),
        partclone: format!(
            "{} -c -q -L partclone.log -s '{}' -o - 2> partclone.err | zstd -q -1 -T0 -o out.zst",
            filesystem.partclone(),
            volume.display()
        ),
    };
    let mut costs: [Vec<Cost>; 3] = Default::default();
    let mut sizes = [0; 3];
    for _ in 0..rounds {
        let all = [
            (&rivals.capture, "out/disk0.qcow2"),
            (&rivals.qemu_img, "out.qcow2"),
            (&rivals.partclone, "out.zst"),
        ];
        for (((command, image), costs), size) in all.into_iter().zip(&mut costs).zip(&mut sizes) {
            costs.push(shell(&format!("cd '{}'; {command}", folder.display()), folder)?);
            *size = fs::metadata(folder.join(image))?.len();
            shell(
                &format!("cd '{}'; rm -rf out out.qcow2 out.zst; sync", folder.display()),
                folder,
            )?;
        }
    }
    let middle = |costs: &[Cost]| {
        (
            median(costs.iter().map(|cost| cost.wall)),
            median(costs.iter().map(|cost| cost.cpu)),
        )
    };
    let [capture, qemu_img, partclone] = costs.each_ref().map(|costs| middle(costs));
    let name = format!(
        "{filesystem:?} {}",
        if stale_data {
            "with stale data"
        } else {
            "without stale data"
        }
    );
    let mebibytes = sizes.map(|size| size >> 20);
    let against = |report: &mut Report, rival: &str, (wall, cpu): (f64, f64), size: u64| {
        let figures = |ours: f64, theirs: f64| format!("{ours:.1} s against {theirs:.1} s");
        if stale_data {
            report.add(
                &format!("{name}: wall time, capture / {rival}"),
                &figures(capture.0, wall),
                capture.0 / wall,
                Bar::AtMost(0.5),
            );
            report.add(
                &format!("{name}: CPU time, capture / {rival}"),
                &figures(capture.1, cpu),
                capture.1 / cpu,
                Bar::AtMost(0.5),
            );
        } else if rival == "qemu-img" {
            report.add(
                &format!("{name}: CPU time, capture / {rival}"),
                &figures(capture.1, cpu),
                capture.1 / cpu,
                Bar::AtMost(0.8),
            );
            let [ours, ..] = sizes;
            #[allow(clippy::cast_precision_loss, reason = "sizes of some GiB, shown with two digits")]
            let ratio = ours as f64 / size as f64;
            let figures = format!("{} MiB against {} MiB", mebibytes[0], size >> 20);
            report.add(
                &format!("{name}: image size, capture / {rival}"),
                &figures,
                ratio,
                Bar::AtMost(1.0),
            );
        }
    };
    against(report, "qemu-img", qemu_img, sizes[1]);
    against(report, "partclone and zstd", partclone, sizes[2]);
    Ok(())
}

/// Peak memory of captures of a busy disk and of a huge empty one.
pub(super) fn memory(program: &Path, report: &mut Report) -> Result<()> {
    let disk = stale::disk(Filesystem::Ext4, true)?;
    let work = tempfile_beside(&disk)?;
    let folder = work.path();
    let huge = folder.join("huge.raw");
    // 16 TiB less one block: the most that ext4 lets a file have.
    fs::File::create_new(&huge)?.set_len((16 << 40) - 4096)?;
    for (name, source) in [("4 GiB disk", &disk), ("sparse file of 16 TiB", &huge)] {
        let command = format!(
            "cd '{}'; '{}' capture --quiet '{}' -o out",
            folder.display(),
            program.display(),
            source.display()
        );
        let cost = shell(&command, folder)?;
        report.add(
            &format!("peak memory of capture, {name} (MiB)"),
            &format!("{:.1} s", cost.wall),
            cost.memory,
            Bar::AtMost(256.0),
        );
        fs::remove_dir_all(folder.join("out"))?;
    }
    Ok(())
}

/// A temporary folder on the disk's own filesystem, which has room.
pub(super) fn tempfile_beside(disk: &Path) -> Result<tempfile::TempDir> {
    let folder: PathBuf = disk
        .parent()
        .and_then(Path::parent)
        .map_or_else(std::env::temp_dir, Path::to_owned);
    Ok(tempfile::Builder::new().prefix(".bench-").tempdir_in(folder)?)
}
