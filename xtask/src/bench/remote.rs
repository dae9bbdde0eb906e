//! A capture through ssh, against the same to a folder, and against what ssh itself carries.

use super::capture::tempfile_beside;
use super::measure::{median, shell};
use super::report::{Bar, Report};
use anyhow::Result;
use p2v_tests::fixtures::stale::{self, Filesystem};
use p2v_tests::ssh::OtherPc;
use std::fs;
use std::path::Path;

/// Captures the same disk both ways, and sends the image through ssh alone, each in turn.
pub(super) fn compare(program: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    let disk = stale::disk(Filesystem::Ext4, true)?;
    let work = tempfile_beside(&disk)?;
    let folder = work.path();
    let other = OtherPc::new(folder, program)?;
    let (p2v, disk, place) = (program.display(), disk.display(), folder.display());
    let local = format!("cd '{place}'; '{p2v}' capture --quiet '{disk}' -o here");
    let far = format!(
        "'{p2v}' capture --quiet '{disk}' -o 'ssh://newpc{place}/there' --ssh '{}' --remote-p2v '{}'",
        other.ssh(),
        other.p2v().display()
    );
    let alone = format!(
        "cd '{place}'; {} newpc \"cat > '{place}/sent'; sync '{place}/sent'\" < image",
        other.ssh()
    );
    let (mut locals, mut fars, mut alones) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        locals.push(shell(&local, folder)?.wall);
        fs::rename(folder.join("here/disk0.qcow2"), folder.join("image"))?;
        shell(&format!("cd '{place}'; rm -rf here; sync"), folder)?;
        fars.push(shell(&far, folder)?.wall);
        shell(&format!("cd '{place}'; rm -rf there; sync"), folder)?;
        alones.push(shell(&alone, folder)?.wall);
        shell(&format!("cd '{place}'; rm -rf image sent; sync"), folder)?;
    }
    let [local, far, alone] = [locals, fars, alones].map(median);
    // The slower of both is what could be hoped for.
    report.add(
        "capture through ssh: speed against a local one, or what ssh carries",
        &format!("{far:.1} s; local {local:.1} s; ssh alone with the finished image {alone:.1} s"),
        local.max(alone) / far,
        Bar::AtLeast(0.9),
    );
    Ok(())
}
