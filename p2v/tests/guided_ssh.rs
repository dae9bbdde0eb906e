//! From the guided interface to another PC: whole journeys at 80x25, through a real ssh client and server with a password.

mod common;

use common::guided::*;
use common::tmux::Tmux;
use common::*;
use p2v_tests::neighbour::{Neighbour, PASSWORD};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn neighbour(folder: &Path) -> Neighbour {
    Neighbour::new(folder, Path::new(env!("CARGO_BIN_EXE_p2v")), &folder.join("bin")).unwrap()
}

/// From the start to the page for another PC.
fn to_far(tmux: &Tmux, systems: &str) {
    tmux.wait_for(systems);
    tmux.press(&["Enter"]);
    tmux.wait_for("Where shall the copy go?");
    tmux.choose("Another PC");
    tmux.go(&["Enter"], "Which PC shall take the copy?");
}

/// Types the three lines, and goes on to the name.
fn fill(tmux: &Tmux, pc: &str, user: &str, folder: &str) {
    tmux.wait_for("> PC:");
    for (text, next) in [
        (pc, "> User:"),
        (user, "> Folder:"),
        (folder, "What shall the copy be called?"),
    ] {
        tmux.type_text(text);
        tmux.go(&["Enter"], next);
    }
}

/// Back at the page for another PC: other lines.
fn refill(tmux: &Tmux, pc: &str, user: &str, folder: &str) {
    tmux.wait_for("> PC:");
    for line in ["> PC:", "> User:", "> Folder:"] {
        tmux.wait_for(line);
        tmux.press(&["BSpace"; 120]);
        tmux.press(&["Down"]);
    }
    tmux.press(&["Up", "Up"]);
    fill(tmux, pc, user, folder);
}

fn password(tmux: &Tmux, password: &str) {
    tmux.wait_for("'s password:");
    tmux.type_text(password);
    tmux.wait_for(&format!("> {}", "*".repeat(password.len())));
    tmux.press(&["Enter"]);
}

const NOTHING: &str = "Systems: none that p2v knows";

#[test]
fn an_old_pc_is_copied_to_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let disk = old_disk(folder.path());
    let before = sha256(&disk);
    let newpc = neighbour(folder.path());
    fs::create_dir_all(newpc.home().join("copies/family-pc")).unwrap();
    fs::write(newpc.home().join("copies/family-pc/machine.toml"), "").unwrap();
    let tmux = Tmux::start(folder.path(), &[&disk]);
    to_far(&tmux, "called family-pc");
    // What is missing is said.
    tmux.press(&["Enter", "Enter"]);
    tmux.go(&["Enter"], "Type the other PC's name or its address.");
    fill(&tmux, "newpc", "me", "~/copies");
    // A PC that was never seen shows who it is.
    let question = tmux.go(&["Enter"], "Is this the right PC?");
    assert!(question.contains(&newpc.fingerprint().unwrap()), "{question}");
    tmux.go(&["n"], "Not connected: you said that it is not the right PC.");
    tmux.press(&["Enter", "Enter"]);
    tmux.go(&["Enter"], "> family-pc");
    tmux.go(&["Enter"], "Is this the right PC?");
    tmux.press(&["y"]);
    password(&tmux, "wrong");
    tmux.wait_for("That was not accepted. Type it again");
    password(&tmux, PASSWORD);
    // The name is taken there; the next one needs no second password.
    tmux.wait_for("holds a machine already. Choose another name.");
    tmux.type_text("-2");
    let ready = tmux.go(&["Enter"], "Press Enter to start.");
    let line = format!("p2v capture {} -o ssh://me@newpc/~/copies/family-pc-2", disk.display());
    let without_gaps = |text: &str| text.split_whitespace().collect::<String>();
    assert!(without_gaps(&ready).contains(&without_gaps(&line)), "{ready}");
    tmux.wait_for("To: the folder family-pc-2 on newpc, in ~/copies");
    tmux.go(&["Enter"], "The old PC is copied, all of it.");
    tmux.wait_for("2. On newpc, open a terminal, go to the folder");
    tmux.press(&["q"]);
    let printed = tmux.wait_for_end(0);
    assert!(without_gaps(&printed).contains(&without_gaps(&line)), "{printed}");
    assert!(!printed.contains(PASSWORD), "{printed}");
    assert_eq!(sha256(&disk), before);
    let copy = newpc.home().join("copies/family-pc-2");
    judge(&disk, &copy);

    // The line does the same, as it stands.
    fs::remove_dir_all(&copy).unwrap();
    let bin = folder.path().join("bin");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_p2v"), bin.join("p2v")).unwrap();
    script(&bin.join("askpass"), &format!("echo '{PASSWORD}'"));
    run(Command::new("sh")
        .arg("-c")
        .arg(format!("PATH={}:$PATH; {line}", bin.display()))
        .env("SSH_ASKPASS", bin.join("askpass"))
        .env("SSH_ASKPASS_REQUIRE", "force"));
    judge(&disk, &copy);
}

fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Folders for ssh's questions that are there.
fn question_folders(temporary: &Path) -> Vec<PathBuf> {
    fs::read_dir(temporary)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn passwords_that_are_wrong_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("old.img"), 16);
    let newpc = neighbour(folder.path());
    newpc.is_known_by(true).unwrap();
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let tmux = Tmux::start_with(folder.path(), &[&disk], &[("TMPDIR", &temporary)]);
    to_far(&tmux, NOTHING);
    fill(&tmux, "newpc", "me", "");
    tmux.press(&["BSpace"; 40]);
    tmux.type_text("oldpc");
    tmux.press(&["Enter"]);
    for number in 0..3 {
        password(&tmux, &format!("wrong{number}"));
        if number < 2 {
            tmux.wait_until("a cleared line", |screen| {
                screen.contains("not accepted") && !screen.contains('*')
            });
        }
    }
    tmux.wait_for("The PC newpc did not accept the password, or does not know that user.");
    tmux.wait_for("Check the user's name and the password");
    // The same again, and given up in the middle: nothing of it stays behind.
    tmux.go(&["Enter"], "me@newpc's password:");
    assert_eq!(question_folders(&temporary).len(), 1);
    tmux.go(&["Escape"], "Not connected.");
    tmux.wait_until("the folder gone", |_| question_folders(&temporary).is_empty());
    refill(&tmux, "nopasswords", "me", "");
    tmux.go(&["Enter"], "The PC nopasswords lets nobody in with a password");
    tmux.press(&["Escape"]);
    refill(&tmux, "keyed", "me", "");
    tmux.go(&["Enter"], "Enter passphrase for key");
    tmux.type_text(PASSWORD);
    tmux.press(&["Enter"]);
    tmux.wait_for("Press Enter to start.");
    tmux.wait_for("p2v capture");
    tmux.go(&["Enter"], "The old PC is copied, all of it.");
    tmux.wait_for("p2v verify oldpc");
    tmux.press(&["q"]);
    tmux.wait_for_end(0);
    judge(&disk, &newpc.home().join(".local/share/p2v/machines/oldpc"));
}

#[test]
fn other_pcs_that_cannot_take_it_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let disk = stale(&folder.path().join("old.img"), 16);
    let newpc = neighbour(folder.path());
    newpc.is_known_by(true).unwrap();
    let tmux = Tmux::start(folder.path(), &[&disk]);
    to_far(&tmux, NOTHING);
    fill(&tmux, "nowhere.invalid", "me", "");
    tmux.go(&["Enter"], "No PC called nowhere.invalid is known in this network.");
    tmux.wait_for("p2v-wifi joins a wireless network");
    tmux.press(&["Escape"]);
    refill(&tmux, "noserver", "me", "");
    tmux.go(&["Enter"], "no ssh server runs on it.");
    tmux.wait_for("sudo apt install openssh-server");
    tmux.press(&["Escape"]);
    refill(&tmux, "bare", "me", "");
    tmux.press(&["Enter"]);
    password(&tmux, PASSWORD);
    tmux.wait_for("There is no p2v on bare.");
    tmux.wait_for("Install p2v there");
    tmux.press(&["Escape"]);
    refill(&tmux, "newpc", "me", newpc.full().to_str().unwrap());
    tmux.press(&["Enter"]);
    password(&tmux, PASSWORD);
    tmux.wait_for("even compressed it cannot fit.");
    tmux.wait_for("Choose another target.");
    // The connection stands: no password again.
    tmux.press(&["Escape"]);
    refill(&tmux, "newpc", "me", newpc.locked().to_str().unwrap());
    tmux.go(&["Enter"], "Read-only file system");
    tmux.wait_for("The target can only be read");
    tmux.press(&["Escape"]);
    refill(&tmux, "newpc", "guest", "/srv");
    tmux.press(&["Enter"]);
    password(&tmux, PASSWORD);
    tmux.wait_for("On newpc: cannot write /srv: Permission denied");
    tmux.wait_for("Choose a folder that you may write to.");
    // Given up, and waited for.
    tmux.press(&["Escape"]);
    refill(&tmux, "silent", "me", "~");
    tmux.go(&["Enter"], "Connecting to the other PC");
    tmux.go(&["Escape"], "Not connected.");
    tmux.press(&["Enter", "Enter"]);
    tmux.go(&["Enter"], "What shall the copy be called?");
    tmux.go(&["Enter"], "The PC silent does not answer.");
    tmux.wait_for("Is the other PC switched on?");
    // Somebody else answers by that name.
    newpc.is_known_by(false).unwrap();
    tmux.press(&["Escape"]);
    refill(&tmux, "newpc", "me", "~");
    tmux.go(&["Enter"], "The PC newpc is not the one that it was last time");
    tmux.wait_for("Somebody may be pretending to be it, so p2v does not connect.");
    tmux.press(&["q"]);
    tmux.wait_for_end(5);
}

#[test]
fn a_connection_that_is_lost_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, failing, gate) = slow_disk(folder.path(), 40);
    let newpc = neighbour(folder.path());
    newpc.is_known_by(true).unwrap();
    let tmux = Tmux::start(folder.path(), &[&failing.path]);
    to_far(&tmux, NOTHING);
    fill(&tmux, "newpc", "me", "~");
    tmux.press(&["BSpace"; 40]);
    tmux.type_text("oldpc");
    tmux.press(&["Enter"]);
    password(&tmux, PASSWORD);
    tmux.wait_for("Press Enter to start.");
    tmux.press(&["Enter"]);
    tmux.wait_for("The disk has not answered for");
    run(Command::new("pkill").args(["-KILL", "-x", "ssh", "-P", &tmux.pid()]));
    gate.open();
    tmux.wait_for("The connection to newpc was cut");
    tmux.wait_for("What was copied so far stays: the same choices go on from there.");
    let copy = newpc.home().join("oldpc");
    assert!(copy.join("disk0.journal").exists() && !copy.join("machine.toml").exists());
    tmux.press(&["Enter"]);
    password(&tmux, PASSWORD);
    tmux.wait_for("of it were copied before; it goes on from there");
    tmux.go(&["Enter"], "could not be read: the disk is damaged there.");
    tmux.press(&["q"]);
    tmux.wait_for_end(6);
    // Equal everywhere else.
    put(&disk, 21 * MIB, &[0; 4096]);
    run(Command::new("qemu-img")
        .args(["compare", "-f", "qcow2", "-F", "raw"])
        .arg(copy.join("disk0.qcow2"))
        .arg(&disk));
}
