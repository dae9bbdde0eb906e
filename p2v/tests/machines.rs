//! The library: capturing into it, names, `list`.

mod common;

use common::library::*;
use common::running::*;
use common::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

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
