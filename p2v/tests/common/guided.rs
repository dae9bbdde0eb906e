//! Disks for journeys through the guided interface.

use super::failing::FailingDisk;
use super::*;

/// A disk with one ext4 partition and a Debian on it that is called family-pc.
pub(crate) fn old_disk(folder: &Path) -> PathBuf {
    let tree = folder.join("old");
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::write(
        tree.join("etc/os-release"),
        "ID=debian\nVERSION_ID=\"11\"\nPRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"\n",
    )
    .unwrap();
    fs::write(tree.join("etc/hostname"), "family-pc\n").unwrap();
    fs::write(tree.join("photos"), noise(1, 20 << 20)).unwrap();
    let partition = folder.join("partition");
    sparse(&partition, 63);
    run(Command::new("mkfs.ext4")
        .args(["-q", "-F", "-d"])
        .args([&tree, &partition]));
    let disk = folder.join("old.img");
    sparse(&disk, 64);
    feed(
        Command::new("sfdisk").arg("-q").arg(&disk),
        "label: dos\nstart=2048, type=83, bootable\n",
    );
    put(&disk, MIB, &fs::read(&partition).unwrap());
    disk
}

pub(crate) fn sparse(path: &Path, mib: u64) {
    File::create(path).unwrap().set_len(mib * MIB).unwrap();
}

/// A disk of 64 MiB, of which reads from `closed` to 56 MiB wait until the test lets go, and sectors at 21 MiB are bad. What
/// is read is in `reads`.
pub(crate) fn slow_disk(folder: &Path, closed: u64) -> (PathBuf, FailingDisk, Gate) {
    let disk = stale(&folder.join("old.img"), 64);
    let script = format!(
        "echo $4 >> $folder/reads
         if [ $4 -ge {} ] && [ $4 -lt {} ]; then while ! [ -e $folder/go ]; do sleep 0.05; done; fi
         if [ $4 -lt {} ] && [ $(($4 + $3)) -gt {} ]; then echo EIO bad >&2; exit 1; fi",
        closed * MIB,
        56 * MIB,
        21 * MIB + 4096,
        21 * MIB
    );
    let failing = FailingDisk::with_script(&disk, &script, folder);
    (disk, failing, Gate(folder.join("go")))
}

/// What reads wait for. Opened when dropped, so that a test that fails does not hang.
pub(crate) struct Gate(pub(crate) PathBuf);

impl Gate {
    pub(crate) fn open(&self) {
        fs::write(&self.0, "").unwrap();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}
