//! `cargo xtask demo`: an old PC's disk is made, captured, and run, step by step.

use crate::{packages, process, rig, test};
use anyhow::{Context, Result};
use p2v_tests::fixtures::debian;
use p2v_tests::guest::Guest;
use p2v_tests::p2v;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Make a legacy Linux PC's disk, capture it, and run it until its login.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The part that runs where the KVM is
    #[arg(long, hide = true)]
    guest: Option<PathBuf>,
}

/// Carries out `cargo xtask demo`.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(machine) = &args.guest {
        return in_guest(machine);
    }
    let started = Instant::now();
    let folder = process::target_dir().join("demo");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let machine = folder.join("oldpc");

    say(1, "Debian packages for making and running the disk");
    packages::ensure()?;

    say(2, "p2v, built");
    let program = p2v::binary()?;
    eprintln!("the program: {}", program.display());

    say(
        3,
        "the disk of an old PC: Debian 12 i386, MBR, ext4, swap in an extended partition, GRUB",
    );
    let disk = debian::i386().disk()?;
    eprintln!("the disk: {}", disk.image.display());
    let source = Source::attach(&disk.image)?;

    say(4, "the capture");
    process::run(
        Command::new(&program)
            .arg("capture")
            .arg(source.path())
            .arg("-o")
            .arg(&machine)
            .args(["--name", "oldpc", "--from-other-pc"]),
    )?;

    say(5, "what is on it");
    process::run(Command::new(&program).arg("inspect").arg(&machine))?;

    say(6, "the check, also against the disk");
    process::run(
        Command::new(&program)
            .arg("verify")
            .arg(&machine)
            .arg("--against")
            .arg(source.path()),
    )?;
    drop(source);

    say(7, "the captured PC runs");
    eprintln!(
        "the KVM: {}",
        if rig::hardware_kvm() {
            "/dev/kvm of this computer"
        } else {
            "inside the rig (this computer has no hardware KVM): about ten times slower"
        }
    );
    let mut command = Command::new("env");
    let live = rig::out_dir().join(SERIAL);
    let _ = fs::remove_file(&live);
    eprintln!("its serial port, live: {}", live.display());
    command
        .arg(format!("P2V_BIN={}", program.display()))
        .arg(format!("P2V_SERIAL_LOG={}", live.display()))
        .arg(std::env::current_exe()?)
        .args(["demo", "--guest"])
        .arg(&machine);
    rig::execute(&command, Duration::from_secs(1800))?;
    // Written in the rig, whose other writes are dropped.
    for name in RESULTS {
        fs::copy(rig::out_dir().join(name), folder.join(name)).with_context(|| format!("the guest left no {name}"))?;
    }

    eprintln!("\nDone in {}. What is there now:", test::minutes(started.elapsed()));
    eprintln!(
        "  {}  the machine: captured disk and its description",
        machine.display()
    );
    eprintln!("  {}  its screen, logged in", folder.join(SCREEN).display());
    eprintln!(
        "  {}  all that it printed on its serial port",
        folder.join(SERIAL).display()
    );
    eprintln!(
        "Where /dev/kvm is real, run it with: {} launch {}",
        program.display(),
        machine.display()
    );
    Ok(())
}

const SCREEN: &str = "screen.png";
const SERIAL: &str = "serial.txt";
const RESULTS: [&str; 2] = [SCREEN, SERIAL];

fn say(number: u32, what: &str) {
    eprintln!("\n[{number}/7] {what}");
}

/// The part that runs where the KVM is: starts the machine, logs in over serial and at its screen.
fn in_guest(machine: &Path) -> Result<()> {
    let started = Instant::now();
    let results = rig::out_dir();
    fs::create_dir_all(&results)?;
    let mut guest = Guest::launch(machine, &["--memory", "256", "--ephemeral"])?;
    walk_through(&mut guest, started, &results.join(SCREEN))
}

fn walk_through(guest: &mut Guest, started: Instant, screen: &Path) -> Result<()> {
    let since = |what: &str| eprintln!("{:>4} s  {what}", started.elapsed().as_secs());
    guest.wait_for("Linux version")?;
    since("GRUB has started the PC's own kernel");
    guest.wait_for("INIT: version")?;
    since("the kernel has mounted the captured disk");
    guest.login("root", debian::ROOT_PASSWORD)?;
    since("login over the serial line");
    let system = guest.shell("head -1 /etc/issue; uname -srm; df -h / | tail -1")?;
    for line in system.lines().filter(|line| !line.is_empty()) {
        eprintln!("        {}", line.trim_end());
    }
    guest.shell("cd /home/user/photos && sha256sum --quiet -c ../photos.sha256")?;
    since("every photograph has its old checksum");
    guest.login_at_screen("root", debian::ROOT_PASSWORD)?;
    guest.type_keys("uname -a; ls /home/user/photos; tty > /dev/ttyS0\n")?;
    guest.wait_for("/dev/tty1")?;
    since("login at the screen, typed on the keyboard");
    guest.screenshot(screen)?;
    guest.type_line("poweroff")?;
    guest.expect_end()?;
    since("it has switched itself off");
    Ok(())
}

/// The disk as the capture sees it: a read-only loop device for root, else the image file.
enum Source {
    Loop(PathBuf),
    File(PathBuf),
}

impl Source {
    fn attach(image: &Path) -> Result<Self> {
        let mut losetup = Command::new("losetup");
        losetup.args(["--read-only", "--find", "--show"]).arg(image);
        let root = process::output(Command::new("id").arg("-u"))?.trim() == "0";
        if root && let Ok(device) = process::output(&mut losetup) {
            let device = PathBuf::from(device.trim());
            eprintln!("attached read-only as {}", device.display());
            return Ok(Self::Loop(device));
        }
        eprintln!("captured from the image file: a loop device needs root and a kernel that has them");
        Ok(Self::File(image.to_owned()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Loop(path) | Self::File(path) => path,
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Loop(device) = self
            && let Err(error) = process::output(Command::new("losetup").arg("--detach").arg(device))
        {
            eprintln!("{error:#}");
        }
    }
}
