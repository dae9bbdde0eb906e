//! `p2v rename` and `p2v remove`: nothing is lost that was not meant, and nothing is half done for ever.

mod common;

use common::kills::*;
use common::library::*;
use common::running::*;
use common::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn a_renamed_machine_is_the_same_under_another_name() {
    let library = Library::new();
    let machine = library.capture(&["--name", "old"]);
    library.capture(&["--name", "taken"]);
    ends(launch(&machine, &[]), &machine);
    let toml = machine.join("machine.toml");
    fs::write(&toml, format!("# mine\n{}", fs::read_to_string(&toml).unwrap())).unwrap();
    let before = sha256(&machine.join("disk0.now.qcow2"));
    refused(library.p2v("rename").args(["old", "taken"]), &["already"]);
    refused(library.p2v("rename").args(["old", "../x"]), &["dot"]);
    run(library.p2v("rename").args(["old", "new \"one\""]));
    let renamed = library.path().join("new \"one\"");
    assert!(!machine.exists());
    assert_eq!(name_in_toml(&renamed), "new \"one\"");
    assert!(
        fs::read_to_string(renamed.join("machine.toml"))
            .unwrap()
            .starts_with("# mine\n")
    );
    assert_eq!(sha256(&renamed.join("disk0.now.qcow2")), before);
    ends(launch(&renamed, &[]), &renamed);
    run(Command::new("qemu-img")
        .args(["check", "-q"])
        .arg(renamed.join("disk0.now.qcow2")));
}

#[test]
fn only_what_p2v_made_is_removed_and_only_when_that_is_meant() {
    let library = Library::new();
    let machine = library.capture(&["--name", "oldpc"]);
    ends(launch(&machine, &[]), &machine);
    run(library.p2v("snapshot").args(["create", "oldpc", "one"]));
    let before = names(&machine);
    refused(
        library.p2v("remove").arg("oldpc"),
        &["only copy", "--yes", "one", machine.to_str().unwrap()],
    );
    fs::write(machine.join("notes.txt"), "mine").unwrap();
    refused(library.p2v("remove").args(["oldpc", "--yes"]), &["notes.txt"]);
    fs::remove_file(machine.join("notes.txt")).unwrap();
    fs::create_dir(machine.join("disk0.map.d")).unwrap();
    refused(library.p2v("remove").args(["oldpc", "--yes"]), &["disk0.map.d"]);
    fs::remove_dir(machine.join("disk0.map.d")).unwrap();
    assert_eq!(names(&machine), before);
    symlink(&machine, library.path().join("link")).unwrap();
    refused(library.p2v("remove").args(["link", "--yes"]), &["is a link"]);

    // On a terminal it asks; anything but `yes` means no.
    let ask = |answer: &str| {
        let command = format!("'{}' remove oldpc", env!("CARGO_BIN_EXE_p2v"));
        let output = start(
            Command::new("sh")
                .args([
                    "-c",
                    "printf '%s\\n' \"$1\" | script -qefc \"$2\" /dev/null",
                    "sh",
                    answer,
                    &command,
                ])
                .env("P2V_MACHINES", library.path())
                .current_dir(library.folder.path()),
        );
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, said) = ask("y");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("only copy") && said.contains("not confirmed"), "{said}");
    assert_eq!(names(&machine), before);
    let (code, said) = ask("yes");
    assert_eq!(code, Some(0), "{said}");
    assert!(!machine.exists());
}

#[test]
fn half_finished_captures_can_be_removed() {
    let library = Library::new();
    let half = library.path().join("half");
    fs::create_dir_all(&half).unwrap();
    for name in ["disk0.qcow2.partial", "disk0.blake3.partial"] {
        fs::write(half.join(name), "").unwrap();
    }
    run(library.p2v("remove").args(["half", "--yes"]));
    assert!(!half.exists() && library.list().is_empty());
}

#[test]
fn a_killed_rename_or_remove_is_completed_by_the_same_command() {
    let library = Library::new();
    let kept = library.capture(&["--name", "kept"]);
    ends(launch(&kept, &[]), &kept);
    let before = sha256(&kept.join("disk0.now.qcow2"));
    let (old, new) = (library.path().join("old"), library.path().join("new"));
    let fresh = || {
        let _ = fs::remove_dir_all(&new);
        let _ = fs::remove_dir_all(&old);
        run(Command::new("cp").arg("-a").args([&kept, &old]));
    };
    let again = |words: &[&str]| {
        let output = start(library.p2v(words[0]).args(&words[1..]));
        assert!(
            [Some(0), Some(3)].contains(&output.status.code()),
            "{}",
            errors(&output)
        );
    };
    let rename = ["rename", "old", "new"];
    let kills = at_every_step(|killed, step| {
        fresh();
        let library_variable = ("P2V_MACHINES", library.path());
        let killed = was_killed(
            killed
                .args(rename)
                .envs([library_variable])
                .current_dir(library.folder.path()),
        );
        if killed {
            assert!(old.exists() != new.exists(), "{step}");
            let there = if old.exists() { "old" } else { "new" };
            assert_eq!(library.state(there), "stopped", "{step}");
            again(&rename);
        }
        assert!(new.exists() && !old.exists(), "{step}");
        assert_eq!(name_in_toml(&new), "new", "{step}");
        assert_eq!(sha256(&new.join("disk0.now.qcow2")), before, "{step}");
        killed
    });
    assert!(kills > 5, "{kills}");

    let remove = ["remove", "old", "--yes"];
    let kills = at_every_step(|killed, step| {
        fresh();
        let library_variable = ("P2V_MACHINES", library.path());
        let killed = was_killed(
            killed
                .args(remove)
                .envs([library_variable])
                .current_dir(library.folder.path()),
        );
        if killed {
            // What is half gone does not look whole, nor is it hidden.
            let left = if old.exists() { names(&old) } else { Vec::new() };
            let expected = if left == names(&kept) { "stopped" } else { "broken" };
            assert!(!old.exists() || library.state("old") == expected, "{step}: {left:?}");
            again(&remove);
        }
        assert!(!old.exists(), "{step}");
        killed
    });
    assert!(kills > 5, "{kills}");
    assert_eq!(library.list().len(), 1);
}
