//! Running the tools that make a stick. One that is not there is told with the Debian package it belongs to.

use crate::error::{Failure, Result};
use crate::signals::Stop;
use rustix::process::{Pid, Signal};
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Programs and their packages.
const PACKAGES: &[(&str, &str)] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("mformat", "mtools"),
    ("mke2fs", "e2fsprogs"),
    ("mksquashfs", "squashfs-tools"),
    ("xorriso", "xorriso"),
];

/// How many lines of what a tool printed are shown when it fails.
const LAST_LINES: usize = 15;

/// How often a running tool is looked at, at least.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// When a tool that was asked to end, and has not, is asked again.
const ASKED_AGAIN: Duration = Duration::from_secs(60);

/// Where administrators' tools are, which not every user has on the path.
const SYSTEM_PATHS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Refused, with the command that installs them, unless all of these programs are there.
pub(super) fn ensure(programs: &[&str]) -> Result<()> {
    let missing: Vec<&str> = programs
        .iter()
        .copied()
        .filter(|program| find(program).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let package = |program: &&str| {
        PACKAGES
            .iter()
            .find(|(name, _)| name == program)
            .map(|(_, package)| *package)
    };
    let packages: Vec<&str> = missing.iter().filter_map(package).collect();
    Err(Failure::refused(format!(
        "programs that make a stick are missing: {}",
        missing.join(", ")
    ))
    .advice(format!(
        "They belong to Debian's packages of these names: `apt-get install {}`.",
        packages.join(" ")
    )))
}

/// A command for one of these programs.
pub(super) fn command(program: &str) -> Command {
    Command::new(find(program).unwrap_or_else(|| program.into()))
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM_PATHS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Runs a command to its end; what it printed is shown only if it fails. See [`run_on`].
pub(super) fn run(command: &mut Command, what: &str, stop: &Stop) -> Result<Output> {
    run_on(command, Stdio::null(), what, stop)
}

/// Runs a command that reads `input`. It gets a process group of its own, so that Ctrl-C reaches this process only: when
/// `stop` says so, the group is asked to end, and this comes back when it has, with what it cleaned up.
pub(super) fn run_on(command: &mut Command, input: Stdio, what: &str, stop: &Stop) -> Result<Output> {
    stop.check()?;
    let name = name(command);
    let failed = |error| Failure::failed(format!("cannot run {name}, which {what}: {error}"));
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).spawn().map_err(failed)?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let status = wait(&mut child, stop).map_err(failed)?;
    // Its error would be that it was ended.
    stop.check()?;
    let [stdout, stderr] = [stdout, stderr].map(|reader| reader.join().unwrap_or_default());
    finish(Output { status, stdout, stderr }, &name, what)
}

/// Waits for a leader of a process group, and passes on that the person has had enough.
fn wait(child: &mut Child, stop: &Stop) -> io::Result<ExitStatus> {
    let mut pause = Duration::from_millis(1);
    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        // Not again at once: it would end those who clean up. But a request may have met nobody who takes it, since
        // the first process of a namespace gets no signals.
        if stop.check().is_err() && asked.is_none_or(|asked| asked.elapsed() > ASKED_AGAIN) {
            if asked.is_none() {
                eprintln!("stopping: what was made so far is removed");
            }
            // Its number is its own until it was waited for, above.
            rustix::process::kill_process_group(Pid::from_child(child), Signal::TERM)?;
            asked = Some(Instant::now());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Reads what a process prints, while it runs.
fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut printed = Vec::new();
        if let Some(mut pipe) = pipe {
            // As much as could be read is shown.
            let _ = pipe.read_to_end(&mut printed);
        }
        printed
    })
}

/// Judges how a command ended.
fn finish(output: Output, name: &str, what: &str) -> Result<Output> {
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
    let what = format!(
        "{name}, which {what}, ended with {}:\n{}",
        output.status,
        last.join("\n")
    );
    Err(Failure::failed(what))
}

/// The program's name, for messages.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
