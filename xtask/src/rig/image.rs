//! The kernel and initramfs of the rig, made once and kept in `target/rig/`.

use crate::process;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Modules in the order of their dependencies. None depends on one that is not before it or built in.
const MODULES: &[&str] = &[
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_console",
    "netfs",
    "fscache",
    "9pnet",
    "9pnet_virtio",
    "9p",
    "overlay",
    "irqbypass",
    "ccp",
    "kvm",
    "kvm-amd",
];

/// First program of the rig's kernel.
const INIT: &str = include_str!("init.sh");

/// What QEMU starts.
pub(crate) struct Image {
    pub(crate) kernel: PathBuf,
    pub(crate) initramfs: PathBuf,
}

impl Image {
    /// The kept image, or a new one if there is none or its recipe changed.
    pub(crate) fn ensure() -> Result<Self> {
        let folder = process::target_dir().join("rig");
        let image = Self {
            kernel: folder.join("vmlinuz"),
            initramfs: folder.join("initramfs.gz"),
        };
        let recipe = format!("{MODULES:?}\n{INIT}");
        let stamp = folder.join("recipe");
        let current = fs::read_to_string(&stamp).is_ok_and(|text| text == recipe);
        if !current || !image.kernel.is_file() || !image.initramfs.is_file() {
            eprintln!("rig: making its kernel and initramfs in {} (once)", folder.display());
            fs::create_dir_all(&folder)?;
            image.build(&folder)?;
            fs::write(stamp, recipe)?;
        }
        Ok(image)
    }

    fn build(&self, folder: &Path) -> Result<()> {
        let unpacked = folder.join("kernel-package");
        let version = unpack_kernel(&unpacked)?;
        fs::copy(unpacked.join(format!("boot/vmlinuz-{version}")), &self.kernel)?;
        let modules = unpacked.join("lib/modules").join(&version);
        let tree = folder.join("initramfs");
        let _ = fs::remove_dir_all(&tree);
        for sub in ["bin", "modules", "proc", "sys", "dev", "lower", "upper", "host"] {
            fs::create_dir_all(tree.join(sub))?;
        }
        fs::copy("/bin/busybox", tree.join("bin/busybox"))?;
        std::os::unix::fs::symlink("busybox", tree.join("bin/sh"))?;
        let mut order = String::new();
        for module in MODULES {
            // What is not there as a file is built into this kernel.
            if let Some(path) = find_module(&modules, module)? {
                let name = path.file_name().context("a module has a name")?;
                fs::copy(&path, tree.join("modules").join(name))?;
                order.push_str(&name.to_string_lossy());
                order.push('\n');
            }
        }
        ensure!(
            order.contains("kvm-amd"),
            "the kernel package {version} has no kvm-amd module"
        );
        fs::write(tree.join("modules/order"), order)?;
        let init = tree.join("init");
        fs::write(&init, INIT)?;
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
        let pack = "find . | cpio --quiet -o -H newc | gzip -1 > \"$1.new\" && mv \"$1.new\" \"$1\"";
        process::quiet(
            Command::new("sh")
                .args(["-c", pack, "sh"])
                .arg(&self.initramfs)
                .current_dir(&tree),
        )?;
        fs::remove_dir_all(&unpacked)?;
        Ok(())
    }
}

/// Fetches and unpacks Debian's kernel package, without installing it; returns the kernel's version.
fn unpack_kernel(folder: &Path) -> Result<String> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    let package = kernel_package()?;
    process::run(
        Command::new("apt-get")
            .args(["-q", "download", &package])
            .current_dir(folder),
    )
    .context("cannot fetch the rig's kernel: see apt's message above; `apt-get update` as root may help")?;
    let archive = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download left no package")?;
    process::quiet(Command::new("dpkg").arg("-x").arg(&archive).arg(folder))?;
    fs::remove_file(archive)?;
    Ok(package.trim_start_matches("linux-image-").to_owned())
}

/// The package that `linux-image-amd64` stands for in this release.
fn kernel_package() -> Result<String> {
    let find = || -> Result<String> {
        let text = process::output(Command::new("apt-cache").args(["depends", "--important", "linux-image-amd64"]))?;
        let package = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
        Ok(package
            .context("apt-cache names no dependency of linux-image-amd64")?
            .to_owned())
    };
    find().or_else(|_| {
        // A new machine's package lists are empty.
        crate::packages::update()?;
        find()
    })
}

/// The file of a module below `folder`; `None` if the kernel has it built in.
fn find_module(folder: &Path, module: &str) -> Result<Option<PathBuf>> {
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                left.push(entry.path());
            } else if let Some((stem, _)) = entry.file_name().to_string_lossy().split_once(".ko")
                && stem.replace('-', "_") == module.replace('-', "_")
            {
                return Ok(Some(entry.path()));
            }
        }
    }
    Ok(None)
}
