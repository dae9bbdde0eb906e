//! What showing the screen costs the guest: a boot sector that changes every pixel 60 times a second and counts between,
//! with a viewer and without one, in turn.

use super::measure::median;
use super::report::{Bar, Report};
use super::viewer::{ENCODINGS, Seen, watch};
use crate::process;
use anyhow::{Context, Result, ensure};
use p2v_tests::guest::{Guest, Qemu};
use p2v_tests::tool;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Counts of a second each that are taken with a viewer, and as many without.
const COUNTS: usize = 5;

/// A machine whose disk holds the sector `redraw`.
fn machine(program: &Path, folder: &Path) -> Result<PathBuf> {
    let sources = process::project_root().join("tests/fixtures/realmode");
    let (disk, machine) = (folder.join("redraw.raw"), folder.join("redraw"));
    let mut nasm = Command::new("nasm");
    nasm.args(["-f", "bin", "-I"]).arg(format!("{}/", sources.display()));
    tool::run(nasm.arg("-o").arg(&disk).arg(sources.join("redraw.asm")))?;
    fs::OpenOptions::new().write(true).open(&disk)?.set_len(1 << 20)?;
    let mut capture = Command::new(program);
    capture.args(["capture", "--quiet"]).arg(&disk).arg("-o").arg(&machine);
    tool::run(&mut capture)?;
    Ok(machine)
}

fn launch(program: &Path, machine: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("launch").arg(machine);
    command.args(["--ephemeral", "--serial", "stdio", "--memory", "32"]);
    command
}

/// How far the guest counts in a second, `COUNTS` times from now on.
fn counts(guest: &mut Guest) -> Result<Vec<f64>> {
    // What is under way began before.
    while !guest.serial().output().ends_with(b"\n") {
        std::thread::sleep(Duration::from_millis(1));
    }
    let printed = String::from_utf8(guest.serial().output())?;
    let known = printed.lines().count();
    let mut all = Vec::new();
    loop {
        guest.wait_for("\n")?;
        let printed = String::from_utf8(guest.serial().output())?;
        let new: Vec<&str> = printed.lines().skip(known + 1).collect();
        if new.len() > COUNTS {
            for line in new.iter().take(COUNTS) {
                all.push(f64::from(u32::from_str_radix(line, 16).context("no count")?));
            }
            return Ok(all);
        }
    }
}

/// Measures with VNC clients.
pub(super) fn remote(program: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    let work = tempfile::tempdir()?;
    let machine = machine(program, work.path())?;
    let socket = work.path().join("vnc");
    let mut command = launch(program, &machine);
    command
        .arg("--headless")
        .arg("--vnc")
        .arg(format!("unix:{}", socket.display()));
    let mut guest = Guest::start_ephemeral(command, &machine)?;
    let ours = watched(&mut guest, &socket, rounds, &ENCODINGS)?;
    guest.kill()?;
    for (name, seen) in &ours {
        add(report, &format!("VNC, {name}"), &seen.seen, &seen.alone, &seen.watched);
    }
    against_qemu(work.path(), &machine, rounds, &ours, report)
}

/// What was counted with a viewer of one encoding.
struct Watched {
    seen: Vec<Seen>,
    /// How far the guest counted in a second without a viewer, and with one.
    alone: Vec<f64>,
    watched: Vec<f64>,
}

impl Watched {
    fn frames(&self) -> f64 {
        median(self.seen.iter().map(|seen| seen.frames))
    }

    /// How much of its speed the guest keeps.
    fn kept(&self) -> f64 {
        median(self.watched.iter().copied()) / median(self.alone.iter().copied())
    }
}

/// Watches a running guest at `socket` in each encoding.
fn watched(
    guest: &mut Guest,
    socket: &Path,
    rounds: usize,
    encodings: &[(&'static str, i32)],
) -> Result<Vec<(&'static str, Watched)>> {
    guest.wait_for("READY")?;
    let mut all = Vec::new();
    for (name, number) in encodings {
        let (mut seen, mut alone, mut watched) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            alone.extend(counts(guest)?);
            let viewer = {
                let (socket, number) = (socket.to_owned(), *number);
                std::thread::spawn(move || watch(&socket, number, Duration::from_secs(COUNTS as u64 + 2)))
            };
            watched.extend(counts(guest)?);
            seen.push(viewer.join().expect("the viewer does not panic")?);
        }
        all.push((*name, Watched { seen, alone, watched }));
    }
    Ok(all)
}

/// The same guest in QEMU, with QEMU's VNC server, on the same KVM.
fn against_qemu(
    folder: &Path,
    machine: &Path,
    rounds: usize,
    ours: &[(&'static str, Watched)],
    report: &mut Report,
) -> Result<()> {
    let socket = folder.join("qemu-vnc");
    let qemu = Qemu {
        interface: "ide",
        memory: 32,
        disk: machine.join("disk0.qcow2"),
        format: "qcow2",
        accelerator: "kvm",
    };
    let vnc = format!("unix:{}", socket.display());
    let mut guest = Guest::qemu_with(&qemu, &folder.join("qmp"), &["-vga", "std", "-vnc", &vnc])?;
    // Its Tight picks filters that our viewer does not read.
    let common: Vec<_> = ENCODINGS.into_iter().filter(|(name, _)| *name != "Tight").collect();
    let theirs = watched(&mut guest, &socket, rounds, &common)?;
    guest.kill()?;
    for (name, theirs) in &theirs {
        let Some((_, ours)) = ours.iter().find(|(ours, _)| ours == name) else {
            continue;
        };
        report.add(
            &format!("redrawing 1024x768: frames a second, VNC, {name}, p2v / QEMU"),
            &format!("{:.1} against {:.1} frames/s", ours.frames(), theirs.frames()),
            ours.frames() / theirs.frames(),
            Bar::AtLeast(1.0),
        );
        report.add(
            &format!("redrawing 1024x768: speed that the guest keeps, VNC, {name}, p2v / QEMU"),
            &format!(
                "{:.2} against {:.2} of its speed without a viewer",
                ours.kept(),
                theirs.kept()
            ),
            ours.kept() / theirs.kept(),
            Bar::AtLeast(0.9),
        );
    }
    Ok(())
}

fn add(report: &mut Report, viewer: &str, seen: &[Seen], alone: &[f64], watched: &[f64]) {
    let frames = median(seen.iter().map(|seen| seen.frames));
    let rate = median(seen.iter().map(|seen| seen.rate));
    let figures = if rate > 0.0 {
        format!("{frames:.0} frames/s, {rate:.0} MB/s")
    } else {
        format!("{frames:.0} frames/s")
    };
    report.add(
        &format!("redrawing 1024x768: frames a second, {viewer}"),
        &figures,
        frames,
        Bar::AtLeast(30.0),
    );
    let (alone, watched) = (median(alone.iter().copied()), median(watched.iter().copied()));
    report.add(
        &format!("redrawing 1024x768: guest's speed with a viewer / without, {viewer}"),
        &format!("{:.2} against {:.2} million loops/s", watched / 1e6, alone / 1e6),
        watched / alone,
        Bar::AtLeast(0.9),
    );
}

/// An X server without a screen, whose picture lies in a file. It ends when dropped.
struct Xvfb {
    process: Child,
    display: String,
    screen: PathBuf,
}

impl Xvfb {
    fn start(folder: &Path) -> Result<Self> {
        let mut process = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1280x1024x24",
                "-nolisten",
                "tcp",
                "-fbdir",
            ])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start Xvfb: `cargo xtask packages` installs it")?;
        let mut number = String::new();
        let output = process.stdout.as_mut().context("no output")?;
        BufReader::new(output).read_line(&mut number)?;
        Ok(Xvfb {
            process,
            display: format!(":{}", number.trim()),
            screen: folder.join("Xvfb_screen0"),
        })
    }

    /// How often a second a pixel near the lower right corner of the guest's picture changes, until told to end.
    /// (XWD file: header length, …, row length, …, colours; `X11/XWDFile.h`.)
    fn watch(&self, end: &AtomicBool) -> Result<Seen> {
        let file = fs::File::open(&self.screen)?;
        let mut header = [0; 80];
        file.read_exact_at(&mut header, 0)?;
        let word = |at: usize| -> u64 {
            let bytes = header.get(at * 4..at * 4 + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, |bytes| u32::from_be_bytes(bytes).into())
        };
        let place = word(0) + word(19) * 12 + 760 * word(12) + 1016 * 4;
        let (begun, mut before, mut changes) = (Instant::now(), [0; 4], 0u32);
        while !end.load(Ordering::SeqCst) {
            let mut pixel = [0; 4];
            file.read_exact_at(&mut pixel, place)?;
            changes += u32::from(pixel != before);
            before = pixel;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Seen {
            frames: f64::from(changes) / begun.elapsed().as_secs_f64(),
            rate: 0.0,
        })
    }
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Measures with the window, against the same guest without one.
pub(super) fn window(program: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    let work = tempfile::tempdir()?;
    let machine = machine(program, work.path())?;
    let server = Xvfb::start(work.path())?;
    let (mut seen, mut alone, mut watched) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut command = launch(program, &machine);
        command.arg("--headless");
        let mut guest = Guest::start_ephemeral(command, &machine)?;
        guest.wait_for("READY")?;
        alone.extend(counts(&mut guest)?);
        guest.kill()?;
        let mut command = launch(program, &machine);
        command.env("DISPLAY", &server.display).env_remove("WAYLAND_DISPLAY");
        let mut guest = Guest::start_ephemeral(command, &machine)?;
        guest.wait_for("READY")?;
        let end = AtomicBool::new(false);
        let (counted, looked) = std::thread::scope(|scope| {
            let looker = scope.spawn(|| server.watch(&end));
            let counted = counts(&mut guest);
            end.store(true, Ordering::SeqCst);
            (counted, looker.join().expect("the looker does not panic"))
        });
        watched.extend(counted?);
        seen.push(looked?);
        guest.kill()?;
    }
    ensure!(!seen.is_empty(), "no rounds");
    add(report, "the window", &seen, &alone, &watched);
    Ok(())
}
