//! Makes volumes with the field's own tools. Used by the tests of more than one crate.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a program; panics with its output, or with the Debian package that has it.
pub(crate) fn run(package: &str, program: &str, args: &[&str]) -> String {
    run_with_input(package, program, args, "")
}

/// The same with text on its standard input.
pub(crate) fn run_with_input(package: &str, program: &str, args: &[&str], input: &str) -> String {
    use std::io::Write;
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut child = Command::new(program)
        .args(args)
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; it is in the Debian package {package}"));
    // A program that ends without reading its input is no error of ours; its exit code tells.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{program} {args:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A file tree to put on a volume: paths with contents, links, folders.
pub(crate) struct Tree(tempfile::TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        Tree(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
        self
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    pub(crate) fn folder(self, path: &str) -> Self {
        std::fs::create_dir_all(self.0.path().join(path)).unwrap();
        self
    }

    /// An ext2/3/4 volume that holds the tree.
    pub(crate) fn ext(&self, kind: &str, megabytes: u32) -> Vec<u8> {
        let image = self.image(megabytes);
        let root = self.path().to_str().unwrap();
        run(
            "e2fsprogs",
            "mke2fs",
            &["-q", "-F", "-t", kind, "-d", root, image.path().to_str().unwrap()],
        );
        std::fs::read(image.path()).unwrap()
    }

    /// A FAT volume that holds the tree, of the type that mkfs.vfat chooses for its size.
    pub(crate) fn fat(&self, megabytes: u32) -> Vec<u8> {
        self.fat_with(megabytes, &[])
    }

    /// A FAT volume that holds the tree; `options` are for mkfs.vfat.
    pub(crate) fn fat_with(&self, megabytes: u32, options: &[&str]) -> Vec<u8> {
        let image = self.image(megabytes);
        let name = image.path().to_str().unwrap();
        run("dosfstools", "mkfs.vfat", &[options, &[name]].concat());
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            run("mtools", "mcopy", &["-s", "-i", name, path.to_str().unwrap(), "::"]);
        }
        std::fs::read(image.path()).unwrap()
    }

    /// An NTFS volume that holds the tree, written by ntfs-3g. `prepare` is a shell script that runs before the
    /// files are copied, in the mounted volume's root.
    pub(crate) fn ntfs(&self, megabytes: u32, prepare: &str) -> Vec<u8> {
        self.ntfs_with(megabytes, &[], prepare)
    }

    /// The same with options for mkntfs.
    pub(crate) fn ntfs_with(&self, megabytes: u32, options: &[&str], prepare: &str) -> Vec<u8> {
        let image = self.image(megabytes);
        let name = image.path().to_str().unwrap();
        let mkntfs = [&["-q", "-F", "-f"], options, &[name]].concat();
        run("ntfs-3g", "mkntfs", &mkntfs);
        let mount = tempfile::tempdir().unwrap();
        // ntfs-3g stays in the foreground, so that the image is complete when it has ended.
        let script = r#"set -e
            ntfs-3g -o no_detach,compression,streams_interface=xattr "$1" "$2" & fs=$!
            until mountpoint -q "$2"; do kill -0 $fs; done
            trap 'cd /; umount "$2"; wait $fs' EXIT
            cd "$2"; eval "$4"; cp -r "$3"/. .; cd /"#;
        let tree = self.path().to_str().unwrap();
        let mut args = vec![
            "-c",
            script,
            "mount",
            name,
            mount.path().to_str().unwrap(),
            tree,
            prepare,
        ];
        if run("coreutils", "id", &["-u"]).trim() == "0" {
            run("ntfs-3g", "sh", &args);
        } else {
            // Mounting needs root, if only one's own.
            args.splice(0..0, ["-Urm", "sh"]);
            run("util-linux", "unshare", &args);
        }
        std::fs::read(image.path()).unwrap()
    }

    fn image(&self, megabytes: u32) -> tempfile::NamedTempFile {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(u64::from(megabytes) << 20).unwrap();
        image
    }
}
