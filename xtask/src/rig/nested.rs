//! Runs a command in the emulated machine and passes output and exit status through.

use super::Args;
use super::image::Image;
use crate::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// The folder whose contents outlive the rig: at the same path inside and outside.
pub(crate) fn out_dir() -> PathBuf {
    process::target_dir().join("rig-out")
}

/// Variables that go with the command, besides those that begin with one of [`PREFIXES`].
const VARIABLES: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "CI",
    "XDG_CACHE_HOME",
    "PROPTEST_CASES",
];
const PREFIXES: &[&str] = &["P2V_", "RUST_", "CARGO_"];

/// Starts the emulated machine, waits for the command's end and returns its exit status.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let image = Image::ensure()?;
    let out = out_dir();
    let control = out.join(".rig");
    fs::create_dir_all(&control)?;
    // One rig at a time in one source tree: they share the folder.
    let lock = fs::File::create(control.join("lock"))?;
    lock.lock().context("cannot lock target/rig-out/.rig/lock")?;
    let status_file = control.join("status");
    let _ = fs::remove_file(&status_file);
    fs::write(control.join("command"), script(args)?)?;
    let console = process::target_dir().join("rig/console.log");
    let mut qemu = qemu(args, &image, &out, &console);
    let mut child = qemu
        .spawn()
        .with_context(|| format!("cannot start {}", process::display(&qemu)))?;
    // Pipes, because QEMU opens its output anew: a file given to us would be overwritten from its start.
    let stdout = child.stdout.take().map(|from| pass_on(from, io::stdout()));
    let stderr = child.stderr.take().map(|from| pass_on(from, io::stderr()));
    let in_time = wait(child, Duration::from_secs(args.timeout))?;
    for thread in [stdout, stderr].into_iter().flatten() {
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("the output thread panicked"))?
            .context("cannot pass output on")?;
    }
    match fs::read_to_string(&status_file) {
        Ok(text) => {
            let status: u8 = text.trim().parse().context("the rig left no exit status")?;
            Ok(ExitCode::from(status))
        }
        Err(_) if !in_time => bail!("the command was not done after {} s (rig --timeout)", args.timeout),
        Err(_) => bail!(
            "the rig ended without running the command; its console:\n{}",
            tail(&console)
        ),
    }
}

/// The shell script that runs inside: environment, folder, command.
fn script(args: &Args) -> Result<Vec<u8>> {
    let mut script = Vec::new();
    for (name, value) in std::env::vars_os() {
        let carried = name
            .to_str()
            .is_some_and(|name| VARIABLES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
        if carried {
            script.extend_from_slice(b"export ");
            script.extend_from_slice(name.as_bytes());
            script.push(b'=');
            quote(&mut script, value.as_bytes());
            script.push(b'\n');
        }
    }
    script.extend_from_slice(b"export P2V_RIG=nested\ncd ");
    quote(&mut script, std::env::current_dir()?.as_os_str().as_bytes());
    script.extend_from_slice(b" || exit 125\nexec");
    for argument in &args.command {
        script.push(b' ');
        quote(&mut script, argument.as_bytes());
    }
    script.push(b'\n');
    Ok(script)
}

/// Appends a word in the shell's single quotes.
fn quote(script: &mut Vec<u8>, word: &[u8]) {
    script.push(b'\'');
    for &byte in word {
        if byte == b'\'' {
            script.extend_from_slice(b"'\\''");
        } else {
            script.push(byte);
        }
    }
    script.push(b'\'');
}

fn qemu(args: &Args, image: &Image, out: &Path, console: &Path) -> Command {
    // The machine must not outlive this process, however it ends.
    let mut qemu = Command::new("setpriv");
    qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
    // One processor: with two, the emulator mixes up the state of host and guest (docs/rig.md). No XSAVE: it does not
    // tell KVM when a guest enables parts of it.
    qemu.args([
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max,xsave=off",
        "-smp",
        "1",
        "-machine",
        "q35",
        "-m",
    ])
    .arg(args.memory.to_string())
    .args([
        "-display",
        "none",
        "-monitor",
        "none",
        "-no-reboot",
        "-net",
        "none",
        "-no-user-config",
        "-kernel",
    ])
    .arg(&image.kernel)
    .arg("-initrd")
    .arg(&image.initramfs)
    .arg("-append")
    .arg(format!("console=ttyS0 quiet panic=-1 rig.out={}", out.display()))
    .arg("-serial")
    .arg(format!("file:{}", console.display()))
    .args([
        "-fsdev",
        "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
    ])
    .args(["-device", "virtio-9p-pci,fsdev=root,mount_tag=root"])
    .arg("-fsdev")
    .arg(format!(
        "local,id=out,path={},security_model=none,multidevs=remap",
        out.display()
    ))
    .args([
        "-device",
        "virtio-9p-pci,fsdev=out,mount_tag=out",
        "-device",
        "virtio-serial-pci",
    ])
    .args(["-chardev", "file,id=stdout,path=/proc/self/fd/1"])
    .args(["-device", "virtserialport,chardev=stdout,name=rig.stdout"])
    .args(["-chardev", "file,id=stderr,path=/proc/self/fd/2"])
    .args(["-device", "virtserialport,chardev=stderr,name=rig.stderr"])
    .stdin(Stdio::null())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped());
    qemu
}

/// Copies output as it comes until its end.
fn pass_on(mut from: impl Read + Send + 'static, mut to: impl Write + Send + 'static) -> JoinHandle<io::Result<()>> {
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(()),
                length => to.write_all(buffer.get(..length).unwrap_or_default())?,
            }
            to.flush()?;
        }
    })
}

/// Waits for the machine's end; kills it after `limit`. Returns whether it ended by itself.
fn wait(mut child: Child, limit: Duration) -> Result<bool> {
    let (done, ended) = mpsc::channel();
    let id = child.id().to_string();
    let waiter = std::thread::spawn(move || {
        let status = child.wait();
        let _ = done.send(());
        status
    });
    let in_time = ended.recv_timeout(limit).is_ok();
    if !in_time {
        process::quiet(Command::new("kill").arg("-KILL").arg(&id))?;
    }
    waiter
        .join()
        .map_err(|_| anyhow::anyhow!("the waiting thread panicked"))??;
    Ok(in_time)
}

/// The end of the rig's console, for error messages.
fn tail(console: &Path) -> String {
    let text = fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(20)..)
        .unwrap_or_default()
        .join("\n")
}
