//! The sandbox: what a process in it can still do. Each question is asked in a process of its own, as there is no way
//! out of it.

use runner::sandbox::{Paths, Strength, forbid_calls, forbid_paths};
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "P2V_TEST_FOLDER";

/// The folder of the test, in the process that is to go into the sandbox.
fn inside() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs this test again in a process of its own, with the folder, and hands on how it ended.
fn again(test: &str, folder: &Path) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn denied<T>(result: io::Result<T>) {
    let error = result.err().expect("this should have been denied");
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
}

fn unknown<T>(result: io::Result<T>) {
    let error = result.err().expect("this should have been refused");
    assert_eq!(error.raw_os_error(), Some(libc::ENOSYS), "{error}");
}

#[test]
fn files_outside_of_its_set_cannot_be_opened_changed_or_removed() {
    let Some(folder) = inside() else {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pages", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for name in ["capture", "log", "pages/index.html"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        again(
            "files_outside_of_its_set_cannot_be_opened_changed_or_removed",
            folder.path(),
        );
        assert_eq!(fs::read(folder.path().join("capture")).unwrap(), b"capture");
        assert_eq!(fs::read(folder.path().join("log")).unwrap(), b"log and more");
        return;
    };
    let mut open_before = File::options().append(true).open(folder.join("log")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(TcpStream::connect(address).unwrap());
    let strength = forbid_paths(&Paths {
        read: vec![folder.join("pages"), folder.join("absent")],
        write: vec![folder.join("log")],
        sockets: Some(folder.join("run")),
        desktop: false,
    });
    assert_eq!(
        strength.unwrap(),
        Strength::Full,
        "this test needs a kernel with Landlock 6 (Linux 6.12)"
    );
    open_before.write_all(b" and").unwrap();
    let mut opened = File::options().append(true).open(folder.join("log")).unwrap();
    opened.write_all(b" more").unwrap();

    denied(File::open(folder.join("capture")));
    denied(File::options().write(true).open(folder.join("capture")));
    denied(fs::remove_file(folder.join("capture")));
    denied(fs::rename(folder.join("capture"), folder.join("run/capture")));
    denied(File::create(folder.join("new")));
    denied(fs::remove_file(folder.join("log")));
    denied(File::open("/etc/passwd"));
    denied(fs::read_dir("/"));
    denied(Command::new("/bin/true").status());
    assert_eq!(fs::read(folder.join("pages/index.html")).unwrap(), b"pages/index.html");
    denied(File::options().write(true).open(folder.join("pages/index.html")));
    denied(fs::remove_file(folder.join("pages/index.html")));

    // Sockets come and go in their folder, and the folder with them.
    let socket = folder.join("run/control.sock");
    let control = UnixListener::bind(&socket).unwrap();
    drop(UnixStream::connect(&socket).unwrap());
    denied(UnixListener::bind(folder.join("pages/control.sock")));
    drop(control);
    fs::remove_file(&socket).unwrap();
    fs::remove_dir(folder.join("run")).unwrap();

    // Who comes is let in; nobody is called.
    denied(TcpStream::connect(address));
    denied(TcpListener::bind("127.0.0.1:0"));
}

#[test]
fn programs_processes_and_connections_are_unknown() {
    if inside().is_none() {
        return again("programs_processes_and_connections_are_unknown", Path::new("/"));
    }
    let mut waiting = std::thread::spawn(std::thread::park);
    forbid_calls(false).unwrap();
    unknown(Command::new("/bin/true").status());
    unknown(TcpStream::connect("127.0.0.1:1"));
    unknown(UnixStream::connect("/nowhere"));
    unknown(io::Result::from(
        rustix::fs::mkdir("/tmp/p2v-none", 0o700.into()).map_err(io::Error::from),
    ));
    unknown(
        rustix::process::kill_process(rustix::process::Pid::INIT, rustix::process::Signal::USR1)
            .map_err(io::Error::from),
    );
    // The window's calls are not for machines without one.
    unknown(rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::empty()).map_err(io::Error::from));
    // What a machine does goes on: threads that run, new threads, files that are open.
    waiting.thread().unpark();
    waiting.join().unwrap();
    waiting = std::thread::spawn(|| println!("a thread in the sandbox"));
    waiting.join().unwrap();
}

#[test]
fn a_window_calls_programs_on_this_computer_only() {
    if inside().is_none() {
        return again("a_window_calls_programs_on_this_computer_only", Path::new("/"));
    }
    forbid_calls(true).unwrap();
    let absent = UnixStream::connect("/nowhere").unwrap_err();
    assert_eq!(absent.kind(), io::ErrorKind::NotFound);
    unknown(TcpStream::connect("127.0.0.1:1"));
    unknown(Command::new("/bin/true").status());
}
