//! A USB disk whose cable can be pulled.

use super::*;
use std::process::{Child, Stdio};
use std::time::Duration;

/// A USB disk with ext4 on it, mounted; nbdkit is its cable.
pub(crate) struct UsbDisk {
    image: PathBuf,
    pub(crate) mount: PathBuf,
    cable: Option<Child>,
    device: Option<Loop>,
}

impl UsbDisk {
    pub(crate) fn new(folder: &Path, mib: u64) -> Self {
        let image = folder.join("usb.img");
        File::create(&image).unwrap().set_len(mib * MIB).unwrap();
        run(Command::new("mkfs.ext4").arg("-q").arg(&image));
        let mount = folder.join("usb");
        fs::create_dir(&mount).unwrap();
        UsbDisk {
            image,
            mount,
            cable: None,
            device: None,
        }
    }

    /// Plugs it in: what was in no cache of this computer is there, after the check that every system makes.
    pub(crate) fn plug_in(&mut self, folder: &Path) {
        let _ = start(Command::new("e2fsck").args(["-p"]).arg(&self.image));
        run(Command::new("e2fsck").args(["-fn"]).arg(&self.image));
        let shown = folder.join("usb-shown");
        File::create(&shown).unwrap();
        let cable = Command::new("nbdfuse")
            .arg(&shown)
            .args(["[", "nbdkit", "--exit-with-parent", "file"])
            .arg(&self.image)
            .arg("]")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.cable = Some(cable);
        let size = fs::metadata(&self.image).unwrap().len();
        while fs::metadata(&shown).map_or(0, |shown| shown.len()) != size {
            std::thread::sleep(Duration::from_millis(5));
        }
        let device = Loop::attach(&shown, &[]);
        run(Command::new("mount").arg(&device.0).arg(&self.mount));
        self.device = Some(device);
    }

    /// Pulls it out: what this computer has not written is gone, and everything that touches it fails.
    pub(crate) fn pull_out(&mut self, folder: &Path) {
        let mut cable = self.cable.take().unwrap();
        cable.kill().unwrap();
        cable.wait().unwrap();
        let _ = start(Command::new("umount").arg("-l").arg(folder.join("usb-shown")));
    }

    pub(crate) fn forget(&mut self) {
        run(Command::new("umount").arg("-l").arg(&self.mount));
        self.device = None;
    }
}

impl Drop for UsbDisk {
    fn drop(&mut self) {
        let _ = start(Command::new("umount").arg("-l").arg(&self.mount));
        self.device = None;
        if let Some(mut cable) = self.cable.take() {
            let _ = cable.kill();
            let _ = cable.wait();
            let shown = self.image.with_file_name("usb-shown");
            let _ = start(Command::new("umount").arg("-l").arg(shown));
        }
    }
}
