//! The Debian packages that p2v needs, in one list, and their installation.
//!
//! docs/dependencies.md says what each is for. A mixed machine is provided for: if `qemu-utils` came from the
//! release's backports, apt refuses to install the plain release's QEMU beside it, and QEMU is taken from backports too.

use crate::process;
use anyhow::{Context, Result, bail};
use p2v_tests::mirror;
use std::path::PathBuf;
use std::process::Command;

/// Needed to compile.
const BUILD: &[&str] = &["gcc", "libc6-dev", "libext2fs-dev", "ntfs-3g-dev", "pkg-config"];
/// Needed by `p2v launch`; noVNC only with `--web`, the libraries only for the window: desktops have them.
const RUN: &[&str] = &[
    "libwayland-client0",
    "libx11-6",
    "libx11-xcb1",
    "libxcursor1",
    "libxi6",
    "libxkbcommon-x11-0",
    "libxkbcommon0",
    "novnc",
    "seabios",
    "xkb-data",
    "xorriso",
];
/// Needed by the rig, the recipes that make disks, and as judges in tests.
const TEST: &[&str] = &[
    "acpica-tools",
    "arch-test",
    "attr",
    "btrfs-progs",
    "busybox-static",
    "bzip2",
    "cabextract",
    "chromium",
    "cpio",
    "cryptsetup-bin",
    "debian-installer-12-netboot-i386",
    "desktop-file-utils",
    "dmidecode",
    "dosfstools",
    "e2fsprogs",
    "edid-decode",
    "fdisk",
    "fuse3",
    "gcab",
    "gddrescue",
    "gdisk",
    "gir1.2-gtk-vnc-2.0",
    "grub-common",
    "grub-pc-bin",
    "grub-rescue-pc",
    "gvncviewer",
    "gzip",
    "initramfs-tools-core",
    "kmod",
    "libglib2.0-bin",
    "libhivex-bin",
    "libjpeg-turbo-progs",
    "libnbd-bin",
    "librsvg2-bin",
    "lvm2",
    "lz4",
    "man-db",
    "mmdebstrap",
    "mount",
    "mtools",
    "nasm",
    "nbdkit",
    "ntfs-3g",
    "openbox",
    "openssh-client",
    "openssh-server",
    "ovmf",
    "partclone",
    "procps",
    "python3-gi",
    "python3-hivex",
    "python3-pefile",
    "qemu-system-x86",
    "qemu-utils",
    "squashfs-tools",
    "strace",
    "tigervnc-viewer",
    "time",
    "tmux",
    "vncsnapshot",
    "wmctrl",
    "x11-utils",
    "x11-xkb-utils",
    "xclip",
    "xdotool",
    "xfsprogs",
    "xvfb",
    "xz-utils",
    "zstd",
];
/// Those that must be of one version with `qemu-utils`.
const QEMU: &[&str] = &["qemu-system-x86", "qemu-utils", "seabios"];

/// Install the Debian packages that building, running and testing need.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only print the list
    #[arg(long)]
    list: bool,
}

/// Carries out `cargo xtask packages`.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.list {
        for package in all() {
            println!("{package}");
        }
        return Ok(());
    }
    ensure()
}

fn all() -> impl Iterator<Item = &'static str> {
    BUILD.iter().chain(RUN).chain(TEST).copied()
}

/// Installs what is missing, as root or through sudo.
///
/// # Errors
/// If a package is missing and neither is possible: the message holds the command to type.
pub(crate) fn ensure() -> Result<()> {
    let missing: Vec<&str> = all().filter(|package| installed_version(package).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("Debian packages missing: {}", missing.join(" "));
    let command_line = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    let Some(root) = Root::find() else {
        bail!("packages are missing and this is neither root nor a user with sudo: as root, type\n  {command_line}");
    };
    process::run(&mut root.apt(&["update", "-q"]))?;
    if process::run(&mut root.install(&missing)).is_ok() {
        return Ok(());
    }
    let from_backports = installed_version("qemu-utils").is_some_and(|version| version.contains("~bpo"));
    if !from_backports {
        bail!("apt-get could not install the packages; its messages are above. To try by hand:\n  {command_line}");
    }
    eprintln!("qemu-utils is from backports: the other QEMU packages are taken from there too");
    let (qemu, plain): (Vec<&str>, Vec<&str>) = missing.iter().partition(|package| QEMU.contains(*package));
    let backports = Backports::add(&root)?;
    let result = backports.install(&root, &qemu);
    backports.remove(&root)?;
    result?;
    if !plain.is_empty() {
        process::run(&mut root.install(&plain))?;
    }
    Ok(())
}

/// Fetches the package lists.
pub(crate) fn update() -> Result<()> {
    let root = Root::find().context("as root, type: apt-get update")?;
    process::run(&mut root.apt(&["update", "-q"]))
}

/// The installed version of a package, by dpkg.
fn installed_version(package: &str) -> Option<String> {
    let output = Command::new("dpkg-query")
        .args(["-W", "-f=${db:Status-Status} ${Version}", package])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.strip_prefix("installed ").map(str::to_owned)
}

/// How commands are run as root.
struct Root {
    sudo: bool,
}

impl Root {
    fn find() -> Option<Self> {
        let id = process::output(Command::new("id").arg("-u")).ok()?;
        if id.trim() == "0" {
            return Some(Self { sudo: false });
        }
        let sudo = Command::new("sudo")
            .args(["-v"])
            .status()
            .is_ok_and(|status| status.success());
        sudo.then_some(Self { sudo: true })
    }

    fn command(&self, program: &str) -> Command {
        if self.sudo {
            let mut command = Command::new("sudo");
            command.arg(program);
            command
        } else {
            Command::new(program)
        }
    }

    fn apt(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("env");
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(arguments);
        command
    }

    fn install(&self, packages: &[&str]) -> Command {
        // Whoever owns this computer may need what apt would remove to make room: it is to fail instead.
        let mut command = self.apt(&["install", "-y", "-q", "--no-install-recommends", "--no-remove"]);
        command.args(packages);
        command
    }
}

/// A temporary apt source for the release's backports, on the mirror that this system already uses.
struct Backports {
    list: PathBuf,
    suite: String,
}

impl Backports {
    fn add(root: &Root) -> Result<Self> {
        let suite = format!("{}-backports", codename()?);
        let mirror = mirror::of_system(suite.trim_end_matches("-backports"))
            .with_context(|| format!("no apt source found for this release: add one for {suite}, then try again"))?;
        let list = PathBuf::from("/etc/apt/sources.list.d/p2v-backports.list");
        let mut tee = root
            .command("tee")
            .arg(&list)
            .stdin(std::process::Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = tee.stdin.take() {
            use std::io::Write;
            writeln!(stdin, "{}", mirror.line(&suite))?;
        }
        tee.wait()?;
        Ok(Self { list, suite })
    }

    fn install(&self, root: &Root, packages: &[&str]) -> Result<()> {
        process::run(&mut root.apt(&["update", "-q"]))?;
        let mut command = root.install(packages);
        command.args(["-t", &self.suite]);
        process::run(&mut command)
    }

    fn remove(&self, root: &Root) -> Result<()> {
        process::run(root.command("rm").arg("-f").arg(&self.list))
    }
}

fn codename() -> Result<String> {
    let text = std::fs::read_to_string("/etc/os-release").context("cannot tell which Debian release this is")?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(|name| name.trim_matches('"').to_owned())
        .context("/etc/os-release names no VERSION_CODENAME")
}
