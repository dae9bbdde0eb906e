//! A family's PC with its desktop: what is on the screen, the pointer, and a German keyboard.

use super::captured;
use super::pictures::{changed_picture, still_picture};
use anyhow::{Context, Result, bail, ensure};
use p2v_tests::fixtures::debian;
use p2v_tests::guest::{Guest, PATIENCE};
use p2v_tests::picture::Picture;
use p2v_tests::{p2v, tool};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The size of the desktop, which its settings ask for.
const SIZE: (usize, usize) = (1024, 768);
/// The start button, and the first entry of the menu that opens above it.
const START: (u32, u32) = (18, 753);

/// Text with shifted and AltGr characters of a German keyboard, dead keys and those that a US keyboard has elsewhere.
const TEXT: &str = "Straße 12a, Köln: ÄÖÜäöüß y/z \"50 €\" user@home {[]} \\ | ~ ^ ` é è â <> #'+*? §$%&()=";

#[test]
fn the_desktop_is_seen_clicked_and_typed_on() -> Result<()> {
    let (machine, _keep) = captured(&debian::desktop())?;
    let folder = tempfile::tempdir()?;
    let mut guest = Guest::launch(&machine, &["--memory", "384", "--ephemeral", "--vnc"])?;
    guest.wait_for("the desktop is up")?;
    let port = vnc_port(&mut guest)?;
    let shown = still_picture(&mut guest, folder.path())?;
    ensure!(
        (shown.width, shown.height) == SIZE && shown.colours() > 50,
        "no desktop of {SIZE:?}, but {} colours on {}x{}",
        shown.colours(),
        shown.width,
        shown.height
    );

    // The same picture through VNC, without and with loss.
    let capture = folder.path().join("capture.png");
    tool::run(
        Command::new("gvnccapture")
            .arg(format!("127.0.0.1:{}", port - 5900))
            .arg(&capture),
    )?;
    ensure!(
        Picture::read(&capture)? == shown,
        "the picture by VNC is not that of the control socket"
    );
    let snapshot = folder.path().join("snapshot.jpg");
    let mut command = Command::new("vncsnapshot");
    command
        .args(["-quiet", "-quality", "100"])
        .arg(format!("127.0.0.1:{}", port - 5900));
    tool::run(command.arg(&snapshot))?;
    let decoded = folder.path().join("snapshot.ppm");
    tool::run(Command::new("djpeg").arg("-outfile").arg(&decoded).arg(&snapshot))?;
    let distance = Picture::read(&decoded)?.distance(&shown);
    ensure!(
        distance < 2.0,
        "vncsnapshot's picture differs by {distance} a colour on average"
    );

    // A program is started by two clicks, and typed into.
    // Its prompt has passed already; an empty line brings another.
    guest.type_line("")?;
    guest.login("root", debian::ROOT_PASSWORD)?;
    // The pointer is part of the picture: it must be there before.
    point(port, START, &[0])?;
    changed_picture(&mut guest, folder.path(), &shown, 50)?;
    let before = still_picture(&mut guest, folder.path())?;
    click(port, START)?;
    let menu = changed_picture(&mut guest, folder.path(), &before, 1000)?;
    let (left, top, ..) = menu.difference(&before).context("the menu is not on the screen")?;
    click(port, (u32::try_from(left)? + 30, u32::try_from(top)? + 15))?;
    until(&mut guest, "the terminal is open", |guest| {
        Ok(guest.shell("pgrep -x xterm || true")?.trim().parse::<u32>().is_ok())
    })?;
    still_picture(&mut guest, folder.path())?;
    // A slow computer shows a terminal that does not get the keys yet: what may be lost is typed again.
    until(&mut guest, "the terminal gets the keys", |guest| {
        p2v_type(&machine, guest, "\n: > /tmp/heard\n")?;
        Ok(guest.shell("ls /tmp")?.contains("heard"))
    })?;
    p2v_type(&machine, &guest, "cat > /tmp/typed\n")?;
    until(&mut guest, "the terminal reads", |guest| {
        Ok(guest.shell("ls /tmp")?.contains("typed"))
    })?;
    p2v_type(&machine, &guest, &format!("{TEXT}\nsecond line\n"))?;
    until(&mut guest, "the text is there", |guest| {
        Ok(guest.shell("cat /tmp/typed")?.contains("second line"))
    })?;
    let typed = guest.shell("base64 -w0 /tmp/typed")?;
    let expected = tool::text(
        Command::new("sh")
            .args(["-c", "printf '%s\\nsecond line\\n' \"$1\" | base64 -w0", "sh"])
            .arg(TEXT),
    )?;
    ensure!(
        typed.trim() == expected.trim(),
        "typed {TEXT:?}, but the guest has {:?}",
        guest.shell("cat /tmp/typed")?
    );
    guest.type_line("poweroff")?;
    guest.expect_end()
}

/// Where the machine's VNC server listens.
fn vnc_port(guest: &mut Guest) -> Result<u16> {
    let answer = guest.control()?.execute("query-vnc", None)?;
    let service = answer.get("service").and_then(|service| service.as_str());
    let service = service.with_context(|| format!("no port in {answer}"))?;
    Ok(service.parse()?)
}

/// Types text on the keyboard by `p2v type`, on the layout that the guest has.
fn p2v_type(machine: &Path, guest: &Guest, text: &str) -> Result<()> {
    let session = guest.id().to_string();
    let mut command = p2v::command("type")?;
    command
        .arg(machine)
        .args(["--session", &session, "--keyboard", "de", text]);
    tool::run(&mut command).map(|_| ())
}

/// Moves the pointer to a place of the screen and clicks.
fn click(port: u16, place: (u32, u32)) -> Result<()> {
    point(port, place, &[0, 1, 0])
}

/// Puts the pointer to a place of the screen, with these buttons one after the other, as a VNC viewer does.
fn point(port: u16, (x, y): (u32, u32), buttons: &[u8]) -> Result<()> {
    let viewer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runner/tests/vnc/viewer.py");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(viewer).args([&port.to_string(), "-", "RAW,XVP"]);
    for buttons in buttons {
        command.arg(format!("pointer:{buttons}:{x}:{y}"));
    }
    tool::run(&mut command).map(|_| ())
}

/// Asks until `reached`; there is no event for what happens inside the guest.
fn until(guest: &mut Guest, what: &str, reached: impl Fn(&mut Guest) -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !reached(guest)? {
        if Instant::now() > deadline {
            bail!("waited {} s until {what}", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
