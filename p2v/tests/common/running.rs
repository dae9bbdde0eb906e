//! A machine that starts on any KVM, and sessions of it.

use super::*;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Writes `A` on the screen (INT 10h function 0Eh) and halts with interrupts on, for ever.
const BOOT: [u8; 9] = [0xB8, 0x41, 0x0E, 0xCD, 0x10, 0xFB, 0xF4, 0xEB, 0xFD];

/// A disk that holds nothing but that boot sector.
pub(crate) fn boot_disk(folder: &Path) -> PathBuf {
    let disk = folder.join("disk.img");
    let mut sector = vec![0; 8 << 20];
    sector[..BOOT.len()].copy_from_slice(&BOOT);
    sector[510..512].copy_from_slice(&[0x55, 0xAA]);
    fs::write(&disk, sector).unwrap();
    disk
}

/// A machine with that disk.
pub(crate) fn machine(folder: &Path) -> PathBuf {
    let machine = folder.join("oldpc");
    capture(&boot_disk(folder), &machine, &[]);
    machine
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A machine that was launched; killed when dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// What `--session` calls it if it is ephemeral.
    pub(crate) fn id(&self) -> String {
        self.0.id().to_string()
    }
}

/// Launches, and returns when the session answers.
pub(crate) fn launch(machine: &Path, more: &[&str]) -> Running {
    let mut command = p2v("launch");
    command.arg(machine).args(["--headless", "--memory", "64"]).args(more);
    let mut running = Running(command.stdin(Stdio::null()).spawn().unwrap());
    let session = if more.contains(&"--ephemeral") {
        running.id()
    } else {
        "main".to_owned()
    };
    until("the machine does not answer", || {
        assert!(
            running.0.try_wait().unwrap().is_none(),
            "the machine ended; is /dev/kvm usable?"
        );
        run(p2v("status").arg(machine).args(["--session", &session])) == "running\n"
    });
    running
}

/// Waits for something that other processes do.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let asked = Instant::now();
    while !done() {
        assert!(asked.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends the only session.
pub(crate) fn ends(mut running: Running, machine: &Path) {
    run(p2v("shutdown").arg(machine).args(["--force", "--wait"]));
    assert!(running.0.wait().unwrap().success());
    assert_eq!(run(p2v("status").arg(machine)), "off\n");
}

/// Runs a command that must be refused, with these words in the message.
pub(crate) fn refused(command: &mut Command, words: &[&str]) {
    let output = start(command);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    for word in words {
        assert!(said.contains(word), "no `{word}` in {said}");
    }
}
