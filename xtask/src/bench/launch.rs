//! What the runner costs on the host: time until the firmware speaks, memory beyond the guest's own.

use super::measure::median;
use super::report::{Bar, Report};
use anyhow::{Context, Result};
use p2v_tests::guest::Guest;
use p2v_tests::tool;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Guest memory in MiB.
const MEMORY: u64 = 256;

/// Starts a machine with an empty disk some times.
pub(super) fn measure(program: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    let work = tempfile::tempdir()?;
    let disk = work.path().join("empty.raw");
    fs::File::create(&disk)?.set_len(64 << 20)?;
    let machine = work.path().join("empty");
    tool::run(
        Command::new(program)
            .args(["capture", "--quiet"])
            .arg(&disk)
            .arg("-o")
            .arg(&machine),
    )?;
    let mut times = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..rounds.max(5) {
        let (time, extra) = once(program, &machine, work.path())?;
        times.push(time.as_secs_f64() * 1000.0);
        memory.push(extra);
    }
    let time = median(times);
    report.add(
        "launch to the firmware's first output (ms)",
        &format!("{time:.0} ms"),
        time,
        Bar::AtMost(100.0),
    );
    let extra = median(memory);
    report.add(
        "runner's memory beyond the guest's (MiB)",
        &format!("{extra:.1} MiB, at the firmware's end"),
        extra,
        Bar::AtMost(40.0),
    );
    Ok(())
}

fn once(program: &Path, machine: &Path, folder: &Path) -> Result<(Duration, f64)> {
    // A pipe with a name, so that the first byte is seen when it is written.
    let log = folder.join("firmware.log");
    let _ = fs::remove_file(&log);
    tool::run(Command::new("mkfifo").arg(&log))?;
    let started = Instant::now();
    let mut command = Command::new(program);
    command
        .arg("launch")
        .arg(machine)
        .args(["--headless", "--ephemeral", "--serial", "stdio", "--memory"]);
    command.arg(MEMORY.to_string()).arg("--firmware-log").arg(&log);
    let mut guest = Guest::start_ephemeral(command, machine)?;
    let mut pipe = fs::File::open(&log)?;
    pipe.read_exact(&mut [0])?;
    let time = started.elapsed();
    // Whoever stops reading would stop the machine.
    let reader = std::thread::spawn(move || std::io::copy(&mut pipe, &mut std::io::sink()));
    guest.wait_for_screen("No bootable device")?;
    let extra = beyond_guest(guest.id())?;
    guest.kill()?;
    let _ = reader.join();
    Ok((time, extra))
}

/// Memory of a process in MiB, without its largest mappings, which are the guest's memory.
pub(super) fn beyond_guest(process: u32) -> Result<f64> {
    let maps = fs::read_to_string(format!("/proc/{process}/smaps")).context("cannot read the runner's memory map")?;
    let kilobytes =
        |line: &str, name: &str| -> Option<u64> { line.strip_prefix(name)?.split_whitespace().next()?.parse().ok() };
    let (mut total, mut size) = (0, 0);
    for line in maps.lines() {
        if let Some(value) = kilobytes(line, "Size:") {
            size = value;
        } else if let Some(value) = kilobytes(line, "Pss:")
            && size < MEMORY * 1024 / 2
        {
            total += value;
        }
    }
    Ok(f64::from(u32::try_from(total)?) / 1024.0)
}
