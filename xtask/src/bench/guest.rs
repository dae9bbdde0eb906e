//! An old PC in the runner and in QEMU, on the same capture, in turn, where the KVM is.

use super::measure::median;
use super::report::{Bar, Report};
use crate::{process, rig};
use anyhow::{Context, Result, bail};
use p2v_tests::fixtures::debian;
use p2v_tests::guest::{Guest, Qemu};
use p2v_tests::tool;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Guest memory in MiB, for both.
const MEMORY: u32 = 256;

/// What one start of the PC showed.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Figures {
    /// Seconds from the start of the program to the login prompt.
    login: f64,
    /// Sequential reads in the guest, in MB a second by its own clock.
    read: f64,
}

/// The rounds of both programs.
#[derive(Default, Serialize, Deserialize)]
struct Rounds {
    runner: Vec<Figures>,
    qemu: Vec<Figures>,
}

/// Captures the PC here, and lets [`inside`] run it where the KVM is.
pub(super) fn compare(program: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    let folder = process::target_dir().join("bench");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let machine = folder.join("oldpc");
    let disk = debian::i386().disk()?.image;
    tool::run(
        Command::new(program)
            .args(["capture", "--quiet"])
            .arg(disk)
            .arg("-o")
            .arg(&machine),
    )?;
    let live = rig::out_dir().join("serial.txt");
    let _ = fs::remove_file(&live);
    eprintln!("the guests' serial ports, live: {}", live.display());
    let mut command = Command::new("env");
    command
        .arg(format!("P2V_SERIAL_LOG={}", live.display()))
        .arg(format!("P2V_BIN={}", program.display()))
        .arg(std::env::current_exe()?);
    command
        .args(["bench", "--rounds", &rounds.to_string(), "--guest"])
        .arg(&machine);
    rig::execute(&command, Duration::from_secs(7200))?;
    let results = rig::out_dir().join(RESULTS);
    let rounds: Rounds = serde_json::from_str(&fs::read_to_string(&results).context("the rig left no figures")?)?;
    let both = |value: fn(&Figures) -> f64| {
        (
            median(rounds.runner.iter().map(value)),
            median(rounds.qemu.iter().map(value)),
        )
    };
    let (ours, theirs) = both(|figures| figures.login);
    report.add(
        "i386 PC: start to login, p2v / QEMU",
        &format!("{ours:.1} s against {theirs:.1} s"),
        ours / theirs,
        Bar::AtMost(1.0),
    );
    let (ours, theirs) = both(|figures| figures.read);
    report.add(
        "i386 PC: sequential reads, p2v / QEMU",
        &format!("{ours:.1} MB/s against {theirs:.1} MB/s"),
        ours / theirs,
        Bar::AtLeast(1.0),
    );
    Ok(())
}

const RESULTS: &str = "bench-guest.json";

/// Runs both programs in turn.
pub(super) fn inside(machine: &Path, rounds: usize) -> Result<()> {
    let out = rig::out_dir();
    fs::create_dir_all(&out)?;
    let sockets = tempfile::tempdir()?;
    let qemu = Qemu {
        interface: "ide",
        memory: MEMORY,
        disk: machine.join("disk0.qcow2"),
        format: "qcow2",
        accelerator: "kvm",
    };
    let mut all = Rounds::default();
    for round in 1..=rounds {
        let memory = MEMORY.to_string();
        let figures = measure(|| Guest::launch(machine, &["--ephemeral", "--memory", &memory]))?;
        eprintln!(
            "round {round}: p2v:  login after {:.1} s, reads {:.1} MB/s",
            figures.login, figures.read
        );
        all.runner.push(figures);
        let figures = measure(|| Guest::qemu(&qemu, &sockets.path().join("qmp")))?;
        eprintln!(
            "round {round}: QEMU: login after {:.1} s, reads {:.1} MB/s",
            figures.login, figures.read
        );
        all.qemu.push(figures);
    }
    Ok(fs::write(out.join(RESULTS), serde_json::to_string(&all)?)?)
}

/// How long a guest may take to its login before it counts as stuck: several times what the slowest needs in the rig.
const STUCK: Duration = Duration::from_secs(500);
/// How many starts may be stuck. The rig's emulated processor loses a guest now and then, of either program.
const STUCK_STARTS: usize = 2;

/// Measures one start. A stuck one is told and repeated.
fn measure(start: impl Fn() -> Result<Guest>) -> Result<Figures> {
    for _ in 0..STUCK_STARTS {
        match measure_once(&start) {
            Err(error) => eprintln!("not counted, and started again: {error:#}"),
            figures => return figures,
        }
    }
    measure_once(&start)
}

fn measure_once(start: impl Fn() -> Result<Guest>) -> Result<Figures> {
    let started = Instant::now();
    let mut guest = start()?.with_patience(STUCK);
    guest.wait_for("oldpc login: ")?;
    let login = started.elapsed().as_secs_f64();
    guest.type_line("root")?;
    guest.wait_for("Password: ")?;
    guest.type_line(debian::ROOT_PASSWORD)?;
    guest.prompt()?;
    // Past the guest's cache: what the disk and its driver can do.
    let printed = guest.shell("dd if=/dev/sda of=/dev/null bs=1M count=256 iflag=direct 2>&1 | tail -1")?;
    guest.kill()?;
    Ok(Figures {
        login,
        read: rate(&printed)?,
    })
}

/// The rate in a line like `268435456 bytes (268 MB, 256 MiB) copied, 1.2 s, 223 MB/s`, in MB a second.
fn rate(line: &str) -> Result<f64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let bytes: Option<f64> = words.first().and_then(|word| word.parse().ok());
    let seconds = words
        .iter()
        .position(|word| *word == "copied,")
        .and_then(|at| words.get(at + 1)?.parse::<f64>().ok());
    match (bytes, seconds) {
        (Some(bytes), Some(seconds)) if seconds > 0.0 => Ok(bytes / seconds / 1e6),
        _ => bail!("dd printed {line:?}"),
    }
}
