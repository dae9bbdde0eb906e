//! The library: capturing into it, names, `list`, `rename`, `remove`.

mod common;

use common::kills::*;
use common::running::*;
use common::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A library in a temporary folder.
struct Library {
    folder: tempfile::TempDir,
}

impl Library {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Library { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("machines")
    }

    fn p2v(&self, subcommand: &str) -> Command {
        let mut command = p2v(subcommand);
        command.env("P2V_MACHINES", self.path()).current_dir(self.folder.path());
        command
    }

    /// Captures a disk with a boot sector; returns its folder.
    fn capture(&self, more: &[&str]) -> PathBuf {
        let disk = boot_disk(self.folder.path());
        let text = run(self.p2v("capture").arg(disk).arg("--json").args(more));
        let outcome: serde_json::Value = serde_json::from_str(&text).unwrap();
        outcome["folder"].as_str().unwrap().into()
    }

    fn list(&self) -> Vec<serde_json::Value> {
        serde_json::from_str(&run(self.p2v("list").arg("--json"))).unwrap()
    }

    fn state(&self, name: &str) -> String {
        let all = self.list();
        let one = all.iter().find(|machine| machine["name"] == name);
        one.unwrap_or_else(|| panic!("no {name} in {all:?}"))["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

fn name_in_toml(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("machine.toml")).unwrap();
    let value: toml::Table = text.parse().unwrap();
    value["name"].as_str().unwrap().to_owned()
}

#[test]
fn captures_go_into_the_library_under_names_that_are_free() {
    let library = Library::new();
    assert!(run(&mut library.p2v("list")).contains("no machines"));
    let first = library.capture(&[]);
    let second = library.capture(&[]);
    assert_eq!(
        (&first, &second),
        (&library.path().join("oldpc"), &library.path().join("oldpc-2"))
    );
    assert_eq!(name_in_toml(&second), "oldpc-2");
    let named = library.capture(&["--name", "Dad's PC"]);
    assert_eq!(named, library.path().join("Dad's PC"));
    let disk = library.folder.path().join("disk.img");
    refused(
        library.p2v("capture").arg(&disk).args(["--name", "oldpc"]),
        &["already"],
    );
    refused(library.p2v("capture").arg(&disk).args(["--name", "a/b"]), &["slash"]);
    assert_eq!(library.list().len(), 3);

    // Every command takes the name.
    assert_eq!(run(library.p2v("status").arg("Dad's PC")), "off\n");
    run(library.p2v("verify").arg("oldpc-2"));
    run(library.p2v("verify").args(["oldpc-2", "--against", "oldpc"]));
    run(library.p2v("inspect").arg("oldpc"));
    run(library.p2v("adapt").args(["oldpc", "--dry-run"]));
    run(library.p2v("snapshot").args(["list", "oldpc"]));
    refused(
        library.p2v("launch").arg("nopc"),
        &["nopc", "oldpc-2", "Dad's PC", "p2v list"],
    );
    refused(library.p2v("inspect").arg("nopc"), &["nopc", "oldpc-2"]);
    // A folder that is here comes first; with a slash it is never a name.
    fs::create_dir(library.folder.path().join("oldpc")).unwrap();
    refused(library.p2v("status").arg("oldpc"), &["no machine.toml"]);
    refused(library.p2v("status").arg("./oldpc-2"), &["there is no folder"]);
}

#[test]
fn the_host_name_of_the_system_becomes_the_name() {
    let library = Library::new();
    let (tree, disk) = (
        library.folder.path().join("tree"),
        library.folder.path().join("disk.img"),
    );
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::write(tree.join("etc/os-release"), "ID=debian\nPRETTY_NAME=\"Debian 11\"\n").unwrap();
    fs::write(tree.join("etc/hostname"), "study room.example\n").unwrap();
    run(Command::new("mkfs.ext4")
        .args(["-q", "-d"])
        .arg(&tree)
        .arg(&disk)
        .arg("16M"));
    run(library.p2v("capture").arg(&disk).arg("--quiet"));
    let machines = library.list();
    assert_eq!(machines[0]["name"], "study-room.example", "{machines:?}");
    assert_eq!(machines[0]["systems"][0]["name"], "Debian 11");
}

#[test]
fn the_library_is_where_the_environment_says() {
    let folder = tempfile::tempdir().unwrap();
    let list = |variables: &[(&str, &Path)]| {
        let mut command = p2v("list");
        for name in ["P2V_MACHINES", "XDG_DATA_HOME", "HOME", "SUDO_UID"] {
            command.env_remove(name);
        }
        run(command.envs(variables.iter().copied()))
    };
    let (home, data) = (folder.path().join("home"), folder.path().join("data"));
    let default = home.join(".local/share/p2v/machines");
    assert!(list(&[("HOME", &home)]).contains(default.to_str().unwrap()));
    assert!(list(&[("HOME", &home), ("XDG_DATA_HOME", Path::new("relative"))]).contains(default.to_str().unwrap()));
    let in_data = data.join("p2v/machines");
    assert!(list(&[("HOME", &home), ("XDG_DATA_HOME", &data)]).contains(in_data.to_str().unwrap()));
    let own = list(&[
        ("HOME", &home),
        ("XDG_DATA_HOME", &data),
        ("P2V_MACHINES", Path::new("/tmp/own")),
    ]);
    assert!(own.contains("in /tmp/own."), "{own}");
}

#[test]
fn through_sudo_the_library_is_that_of_the_person() {
    let library = Library::new();
    let home = library.folder.path().join("home");
    let passwd = library.folder.path().join("passwd");
    fs::write(
        &passwd,
        format!(
            "root:x:0:0::/root:/bin/sh\nkim:x:4711:4712::{}:/bin/sh\n",
            home.display()
        ),
    )
    .unwrap();
    fs::create_dir(&home).unwrap();
    // A private mount puts the file in the place of the real one.
    let script = "mount --bind \"$1\" /etc/passwd; shift; exec \"$@\"";
    run(Command::new("unshare")
        .args(["--mount", "sh", "-euc", script, "sh"])
        .arg(&passwd)
        .arg(env!("CARGO_BIN_EXE_p2v"))
        .args(["capture", "--quiet"])
        .arg(boot_disk(library.folder.path()))
        .env_remove("P2V_MACHINES")
        .env_remove("XDG_DATA_HOME")
        .env("SUDO_UID", "4711")
        .env("SUDO_GID", "4712"));
    let machine = home.join(".local/share/p2v/machines/oldpc");
    let owners = run(Command::new("find")
        .arg(home.join(".local"))
        .args(["-printf", "%U:%G\n"]));
    assert!(machine.join("machine.toml").exists());
    assert!(owners.lines().all(|owner| owner == "4711:4712"), "{owners}");
}

#[test]
fn every_folder_of_the_library_is_listed_in_its_state() {
    let library = Library::new();
    let machine = library.capture(&["--name", "plain"]);
    let copy = |name: &str| {
        let to = library.path().join(name);
        run(Command::new("cp").arg("-a").arg(&machine).arg(&to));
        to
    };
    let overlay = |folder: &Path, name: &str, backing: &str| {
        run(Command::new("qemu-img")
            .args(["create", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", backing])
            .arg(folder.join(name))
            .arg("8M"));
    };
    overlay(&copy("adapted"), "disk0.adapted.qcow2", "disk0.qcow2");
    overlay(&copy("stopped"), "disk0.now.qcow2", "disk0.qcow2");
    overlay(&copy("lost"), "disk0.now.qcow2", "disk0.adapted.qcow2");
    fs::write(copy("edited").join("machine.toml"), "name = ").unwrap();
    fs::remove_file(copy("gone").join("disk0.qcow2")).unwrap();
    fs::create_dir(library.path().join("empty")).unwrap();
    let half = library.path().join("half");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("disk0.qcow2.partial"), "").unwrap();
    symlink("nowhere", library.path().join("dangling")).unwrap();
    for (name, state) in [
        ("plain", "never-started"),
        ("adapted", "adapted"),
        ("stopped", "stopped"),
        ("lost", "broken"),
        ("edited", "broken"),
        ("gone", "broken"),
        ("empty", "broken"),
        ("half", "unfinished"),
        ("dangling", "broken"),
    ] {
        assert_eq!(library.state(name), state, "{name}");
    }
    assert_eq!(library.list().len(), 9);
    let du = run(Command::new("du").args(["-sB1", "--exclude=plain/"]).arg(&machine));
    let size: u64 = du.split_whitespace().next().unwrap().parse().unwrap();
    let all = library.list();
    let listed = all.iter().find(|machine| machine["name"] == "plain").unwrap()["size_bytes"].as_u64();
    let own = fs::metadata(&machine)
        .map(|meta| std::os::unix::fs::MetadataExt::blocks(&meta) * 512)
        .unwrap();
    assert_eq!(listed, Some(size - own));
    let text = run(&mut library.p2v("list"));
    for words in [
        "never started",
        "unfinished",
        "gone: ",
        "disk0.qcow2 is missing",
        "no machine.toml",
    ] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }

    let running = launch(&machine, &[]);
    assert_eq!(library.state("plain"), "running");
    ends(running, &machine);
    assert_eq!(library.state("plain"), "stopped");
}

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
    fs::create_dir(machine.join("control.sock")).unwrap();
    refused(library.p2v("remove").args(["oldpc", "--yes"]), &["control.sock"]);
    fs::remove_dir(machine.join("control.sock")).unwrap();
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
