//! Initramfs images made and judged by cpio and the compressors.
//! (Debian packages: cpio, gzip, bzip2, xz-utils, zstd, lz4, initramfs-tools-core.)
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod appended;
mod generated;
mod hostile;
mod judged;

use super::*;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

const VERSION: &str = "6.1.0-56-amd64";

/// Runs a tool of this Debian package on `input`; its output. It must succeed.
fn tool(package: &str, command: &[&str], folder: &Path, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} must be installed (Debian package {package}): {error}", command[0]));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // A tool that stops at a trailer closes its input early; what it says at its end counts.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    output.stdout
}

/// Every compression that can be read, and the command that makes it.
const COMPRESSORS: [(Compression, &str, &[&str]); 7] = [
    (Compression::None, "coreutils", &["cat"]),
    (Compression::Gzip, "gzip", &["gzip", "-n"]),
    (Compression::Bzip2, "bzip2", &["bzip2"]),
    (Compression::Lzma, "xz-utils", &["xz", "--format=lzma", "-1"]),
    (Compression::Xz, "xz-utils", &["xz", "--check=crc32", "-1"]),
    (Compression::Zstd, "zstd", &["zstd", "-q"]),
    (Compression::Lz4Legacy, "lz4", &["lz4", "-q", "-l"]),
];

fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let (_, package, command) = COMPRESSORS.iter().find(|(kind, ..)| *kind == compression).unwrap();
    tool(package, command, Path::new("/"), bytes)
}

/// Packs a folder as update-initramfs does.
fn pack(folder: &Path, format: &str) -> Vec<u8> {
    let list = tool("findutils", &["find", ".", "-print0"], folder, &[]);
    tool(
        "cpio",
        &["cpio", "--null", "--quiet", "-o", "-H", format],
        folder,
        &list,
    )
}

fn put(folder: &Path, path: &str, contents: impl AsRef<[u8]>) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

/// What initramfs-tools might make, with everything that an archive can hold but devices.
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(root, "usr/bin/busybox", "a program");
    fs::hard_link(root.join("usr/bin/busybox"), root.join("usr/bin/sh")).unwrap();
    fs::set_permissions(root.join("usr/bin/busybox"), fs::Permissions::from_mode(0o755)).unwrap();
    put(root, "scripts/functions", "");
    put(root, "conf/initramfs.conf", "MODULES=most\n");
    put(root, "conf/modules", "# loaded\nunix\n");
    put(root, "etc/a name with spaces", "x");
    fs::create_dir_all(root.join("var/empty")).unwrap();
    let modules = format!("usr/lib/modules/{VERSION}");
    put(root, &format!("{modules}/kernel/drivers/ata/ata_piix.ko"), [7; 5001]);
    put(root, &format!("{modules}/kernel/drivers/scsi/sd_mod.ko.xz"), [8; 4999]);
    put(root, &format!("{modules}/kernel/crypto/crc32c-intel.ko.zst"), [9; 3]);
    put(
        root,
        &format!("{modules}/modules.builtin"),
        "kernel/fs/ext4/ext4.ko\nkernel/drivers/tty/foo-bar.ko\n",
    );
    symlink("usr/lib", root.join("lib")).unwrap();
    symlink("/usr/bin", root.join("bin")).unwrap();
    // Longer than a block of lz4 and the decompressors' buffers.
    let long: Vec<u8> = (0..9_000_000_u32).map(|at| (at / 5 * 7) as u8).collect();
    put(root, "usr/lib/long", long);
    folder
}

fn parse(bytes: &[u8]) -> Initramfs {
    Initramfs::parse(bytes, &Limits::default()).unwrap()
}
