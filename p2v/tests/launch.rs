//! `p2v launch` and the commands that control what it runs, with a boot sector of our own on the real `/dev/kvm`.

mod common;

use common::running::*;
use common::*;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn a_launched_machine_is_seen_typed_at_and_shut_down() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let capture = machine.join("disk0.qcow2");
    let before = sha256(&capture);
    let running = launch(&machine, &[]);

    let picture = folder.path().join("screen.png");
    run(p2v("screenshot").arg(&machine).arg("-o").arg(&picture));
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
    run(p2v("type").arg(&machine).args(["hello", "--enter", "--key", "ctrl-c"]));
    let unknown = start(p2v("type").arg(&machine).args(["--key", "no_such_key"]));
    assert_eq!(unknown.status.code(), Some(1), "{}", errors(&unknown));

    let second = start(p2v("launch").arg(&machine).arg("--headless"));
    assert_eq!(second.status.code(), Some(3), "{}", errors(&second));
    ends(running, &machine);
    assert_eq!(sha256(&capture), before, "the capture was written to");
    run(Command::new("qemu-img")
        .args(["check", "-q"])
        .arg(machine.join("disk0.now.qcow2")));
    run(p2v("verify").arg(&machine));
    ends(launch(&machine, &[]), &machine);
}

#[test]
fn an_ephemeral_machine_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let before = names(&machine);
    ends(launch(&machine, &["--ephemeral"]), &machine);
    assert_eq!(names(&machine), before);
}

#[test]
fn what_cannot_be_run_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let toml = machine.join("machine.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, text.replace("firmware = \"bios\"", "firmware = \"uefi\"")).unwrap();
    let output = start(p2v("launch").arg(&machine).arg("--headless"));
    assert_eq!(output.status.code(), Some(3));
    assert!(errors(&output).contains("UEFI"), "{}", errors(&output));
    fs::write(&toml, text).unwrap();

    let disc = folder.path().join("disc.iso");
    fs::write(&disc, [0; 3000]).unwrap();
    let output = start(p2v("launch").arg(&machine).arg("--headless").arg("--disc").arg(&disc));
    assert_eq!(output.status.code(), Some(3));
    assert!(errors(&output).contains("2048"), "{}", errors(&output));
}

#[test]
fn a_running_machine_is_not_adapted_and_an_adapted_disk_is_what_runs() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let adapted = machine.join("disk0.adapted.qcow2");
    let create = ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "disk0.qcow2"];
    run(Command::new("qemu-img").args(create).arg(&adapted));
    let running = launch(&machine, &["--ephemeral"]);
    for more in [&[][..], &["--undo"]] {
        let output = start(p2v("adapt").arg(&machine).args(more));
        assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
        assert!(errors(&output).contains("is running"), "{}", errors(&output));
    }
    ends(running, &machine);
    ends(launch(&machine, &[]), &machine);
    let info = run(Command::new("qemu-img")
        .args(["info", "-U"])
        .arg(machine.join("disk0.now.qcow2")));
    assert!(info.contains("backing file: disk0.adapted.qcow2"), "{info}");
    let output = start(p2v("adapt").arg(&machine).arg("--undo"));
    assert!(errors(&output).contains("has run already"), "{}", errors(&output));
    assert!(adapted.exists());
}

/// The lines that a machine's process has written so far, once one of them contains `text`.
fn wait_for_line(path: &Path, text: &str) -> String {
    let begun = Instant::now();
    loop {
        let lines = fs::read_to_string(path).unwrap();
        if let Some(line) = lines.lines().find(|line| line.contains(text)) {
            return line.to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no {text:?} in {lines:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_graphics_card_is_the_one_in_machine_toml_or_the_one_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let toml = machine.join("machine.toml");
    let text = fs::read_to_string(&toml).unwrap();
    assert!(text.contains("graphics = \"vga\""), "{text}");
    fs::write(&toml, text.replace("graphics = \"vga\"", "graphics = \"cirrus\"")).unwrap();
    for (more, card) in [(&[][..], "id=1013:00b8"), (&["--graphics", "vga"], "id=1234:1111")] {
        let log = folder.path().join(card);
        let mut options = vec!["--firmware-log", log.to_str().unwrap()];
        options.extend(more);
        let running = launch(&machine, &options);
        wait_for_line(&log, card);
        wait_for_line(&log, "Start SeaVGABIOS");
        ends(running, &machine);
    }
}

#[test]
fn remote_screens_are_offered_where_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let (password, messages) = (folder.path().join("password"), folder.path().join("messages"));
    fs::write(&password, "sesame\nwhat follows does not count\n").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let child = p2v("launch")
        .arg(&machine)
        .args(["--headless", "--memory", "64", "--web", "--vnc"])
        .arg(format!("127.0.0.1:{port}"))
        .arg("--vnc-password-file")
        .arg(&password)
        .stderr(fs::File::create(&messages).unwrap())
        .spawn()
        .unwrap();
    let running = Running(child);
    let said = wait_for_line(&messages, "screen by VNC: ");
    let address = said.strip_prefix("screen by VNC: ").unwrap();
    assert!(!address.ends_with(&format!(":{port}")), "that port is taken: {address}");
    let said = wait_for_line(&messages, "screen in a browser: ");
    let page = said.strip_prefix("screen in a browser: ").unwrap();
    let asked = Instant::now();
    while !run(p2v("status").arg(&machine)).starts_with("running") {
        assert!(asked.elapsed() < Duration::from_secs(60), "the machine does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        run(p2v("status").arg(&machine)),
        format!("running\nscreen: {address}\nscreen: {page}\n")
    );
    let mut client = std::net::TcpStream::connect(address).unwrap();
    client.write_all(b"RFB 003.008\n").unwrap();
    let mut hello = [0; 14];
    client.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"RFB 003.008\n\x01\x02", "it asks for the password");
    // The pages are read from inside the sandbox.
    let (server, path) = page.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut browser = std::net::TcpStream::connect(server).unwrap();
    write!(
        browser,
        "GET /{path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    browser.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("noVNC"),
        "{answer}"
    );
    ends(running, &machine);
}

#[test]
fn screens_that_anybody_could_use_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let password = folder.path().join("password");
    fs::write(&password, "much too long\n").unwrap();
    let password = password.to_str().unwrap();
    for (more, text, code) in [
        (&["--vnc", "0.0.0.0"][..], "no password is set", 3),
        (&["--web", "[::]:0"], "no password is set", 3),
        (&["--vnc", "--vnc-password-file", password], "first 8", 3),
        (&["--vnc-password-file", "/nonexistent", "--vnc"], "/nonexistent", 3),
        (&["--vnc", "not-an-address"], "is no address", 2),
    ] {
        let output = start(p2v("launch").arg(&machine).arg("--headless").args(more));
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", errors(&output));
        assert!(errors(&output).contains(text), "{more:?}: {}", errors(&output));
    }
}
