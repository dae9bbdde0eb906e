//! The control socket against judges that are not ours: our server is driven by a Python script, our client drives
//! QEMU. (Debian packages: python3, qemu-system-x86.)

use runner::control::{
    Client, ClientError, Control, DiscError, DiscStatus, Event, Events, RunState, Server, ServerError,
};
use runner::input::{InputEvent, Layout};
use runner::video::Frame;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A machine that writes down what it is asked for.
struct Fake {
    events: Events,
    seen: Mutex<Vec<String>>,
    state: Mutex<RunState>,
    tablet: AtomicBool,
}

impl Fake {
    fn new(events: &Events) -> Arc<Self> {
        Arc::new(Fake {
            events: events.clone(),
            seen: Mutex::default(),
            state: Mutex::new(RunState::Running),
            tablet: AtomicBool::new(false),
        })
    }
    fn note(&self, what: impl Into<String>) {
        self.seen.lock().unwrap().push(what.into());
    }
    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Control for Fake {
    fn state(&self) -> RunState {
        *self.state.lock().unwrap()
    }
    fn screenshot(&self) -> Frame {
        Frame {
            width: 2,
            height: 1,
            pixels: vec![0x00FF_0000, 0x0000_80FF],
        }
    }
    fn input(&self, events: &[InputEvent]) {
        for event in events {
            self.note(match event {
                InputEvent::Key { code, down } => format!("{}{code}", if *down { '+' } else { '-' }),
                InputEvent::Button { name, down } => format!("{}[{name}]", if *down { '+' } else { '-' }),
                InputEvent::Move { dx, dy } => format!("({dx},{dy})"),
                InputEvent::Point { x, y } => format!("<{x:?},{y:?}>"),
            });
        }
    }
    fn has_absolute_pointer(&self) -> bool {
        // The guest's driver starts between the first question and the second.
        self.tablet.swap(true, Ordering::SeqCst)
    }
    fn disc(&self) -> Option<DiscStatus> {
        Some(DiscStatus {
            inserted: true,
            locked: true,
        })
    }
    fn set_disc(&self, disc: Option<File>, force: bool) -> Result<(), DiscError> {
        if !force {
            return Err(DiscError::Locked);
        }
        let mut text = "no disc".to_owned();
        if let Some(mut file) = disc {
            text.clear();
            file.read_to_string(&mut text)?;
        }
        self.note(text);
        Ok(())
    }
    fn power_button(&self) {
        self.note("power");
        self.events.emit(Event::Powerdown);
    }
    fn reset(&self) {
        self.note("reset");
        self.events.emit(Event::Reset { guest: false });
    }
    fn pause(&self) {
        *self.state.lock().unwrap() = RunState::Paused;
        self.events.emit(Event::Stop);
    }
    fn resume(&self) {
        *self.state.lock().unwrap() = RunState::Running;
        self.events.emit(Event::Resume);
    }
    fn quit(&self) {
        self.note("quit");
        self.events.emit(Event::Shutdown { guest: false });
    }
}

fn start(path: &Path) -> (Server, Arc<Fake>, Events) {
    let events = Events::new();
    let fake = Fake::new(&events);
    let server = Server::start(path, fake.clone(), events.clone()).expect("server");
    (server, fake, events)
}

/// Asserts, then prints nothing: any failure is a Python exception and an exit status.
const PYTHON: &str = r#"
import json, os, socket, sys
path, picture = sys.argv[1:]
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(path)
    return s, s.makefile('r', encoding='utf-8')
s, lines = connect()
assert 'QMP' in json.loads(lines.readline())
def ask(message):
    s.sendall(message if isinstance(message, bytes) else json.dumps(message).encode())   # no newline, as qemu.qmp does
    events = []
    while True:
        answer = json.loads(lines.readline())
        if 'event' not in answer:
            return answer, events
        events.append(answer['event'])
assert ask({'execute': 'query-status'})[0]['error']['class'] == 'CommandNotFound'
assert ask({'execute': 'qmp_capabilities', 'id': 1})[0] == {'return': {}, 'id': 1}
assert ask({'execute': 'query-status', 'id': {'any': ['thing']}})[0] == \
    {'return': {'running': True, 'status': 'running'}, 'id': {'any': ['thing']}}
assert ask({'execute': 'frobnicate'})[0]['error'] == \
    {'class': 'CommandNotFound', 'desc': 'The command frobnicate has not been found'}
names = [c['name'] for c in ask({'execute': 'query-commands'})[0]['return']]
assert {'screendump', 'send-key', 'system_powerdown', 'quit'} <= set(names), names
assert ask(b'this is no JSON\r\n')[0]['error']['class'] == 'GenericError'
assert ask(b'{"execute": [1, 2}\n')[0]['error']['class'] == 'GenericError'
assert ask({'execute': 'stop'})[0] == {'return': {}}
assert ask({'execute': 'query-status'})[0]['return'] == {'running': False, 'status': 'paused'}
assert ask({'execute': 'cont'})[0] == {'return': {}}
key = lambda name: {'type': 'qcode', 'data': name}
assert ask({'execute': 'send-key', 'arguments': {'keys': [key('ctrl'), key('alt'), key('delete')], 'hold-time': 1}})[0] == {'return': {}}
assert 'error' in ask({'execute': 'send-key', 'arguments': {'keys': [key('nokey')]}})[0]
assert ask({'execute': 'input-send-event', 'arguments': {'events': [
    {'type': 'key', 'data': {'down': True, 'key': key('a')}},
    {'type': 'key', 'data': {'down': False, 'key': {'type': 'number', 'data': 30}}},
    {'type': 'btn', 'data': {'down': True, 'button': 'left'}},
    {'type': 'rel', 'data': {'axis': 'x', 'value': -5}},
    {'type': 'rel', 'data': {'axis': 'y', 'value': 7}}]}})[0] == {'return': {}}
corner = {'execute': 'input-send-event', 'arguments': {'events': [
    {'type': 'abs', 'data': {'axis': 'x', 'value': 0}},
    {'type': 'abs', 'data': {'axis': 'y', 'value': 32767}}]}}
assert 'error' in ask(corner)[0], 'nobody in the guest understands places yet'
assert ask(corner)[0] == {'return': {}}
assert ask({'execute': 'screendump', 'arguments': {'filename': picture, 'format': 'ppm'}})[0] == {'return': {}}
assert open(picture, 'rb').read() == b'P6\n2 1\n255\n\xff\x00\x00\x00\x80\xff'
assert 'error' in ask({'execute': 'screendump', 'arguments': {'filename': '/nonexistent/x.png'}})[0]
other, other_lines = connect()
json.loads(other_lines.readline())
other.sendall(b'{"execute":"qmp_capabilities"}')
json.loads(other_lines.readline())
drive, = ask({'execute': 'query-block'})[0]['return']
assert drive['device'] == 'ide1-cd0' and drive['removable'] and drive['locked'] and drive['inserted']['ro'], drive
change = {'execute': 'blockdev-change-medium', 'arguments': {'id': 'ide1-cd0', 'filename': '/dev/fdset/5', 'force': True}}
add = {'execute': 'add-fd', 'arguments': {'fdset-id': 5}}
assert 'error' in ask(add)[0], 'nothing was handed over'
assert 'error' in ask(change)[0], 'there is no file 5'
disc = os.memfd_create('disc')
os.write(disc, b'a disc')
os.lseek(disc, 0, os.SEEK_SET)
socket.send_fds(s, [json.dumps(add).encode()], [disc])
assert json.loads(lines.readline())['return']['fdset-id'] == 5
assert ask(change)[0] == {'return': {}}
assert 'error' in ask(change)[0], 'it was used up'
assert 'error' in ask({'execute': 'blockdev-change-medium', 'arguments': {'device': 'ide1-cd0', 'filename': picture}})[0]
assert 'error' in ask({'execute': 'eject', 'arguments': {'device': 'floppy0', 'force': True}})[0]
assert 'locked' in ask({'execute': 'eject', 'arguments': {'device': 'ide1-cd0'}})[0]['error']['desc']
assert ask({'execute': 'eject', 'arguments': {'device': 'ide1-cd0', 'force': True}})[0] == {'return': {}}
ask({'execute': 'system_reset'})
reset = json.loads(other_lines.readline())
assert reset['event'] == 'RESET' and reset['data'] == {'guest': False, 'reason': 'host-qmp-system-reset'}, reset
assert reset['timestamp']['seconds'] > 1600000000
other.sendall(b'{' * 300000 + b'\n')
assert 'error' in json.loads(other_lines.readline())
assert other_lines.readline() == '', 'a client that sends too much is dropped'
ask({'execute': 'quit'})
"#;

#[test]
fn python_drives_our_server() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let (server, fake, _) = start(&path);
    let metadata = std::fs::symlink_metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);

    let script = Command::new("python3")
        .args(["-c", PYTHON])
        .arg(&path)
        .arg(dir.path().join("screen.ppm"))
        .output()
        .expect("python3 must be installed (Debian package python3)");
    assert!(script.status.success(), "{}", String::from_utf8_lossy(&script.stderr));
    assert_eq!(
        fake.seen(),
        [
            "+ctrl",
            "+alt",
            "+delete",
            "-delete",
            "-alt",
            "-ctrl",
            "+a",
            "-a",
            "+[left]",
            "(-5,0)",
            "(0,7)",
            "<Some(0),None>",
            "<None,Some(65535)>",
            "a disc",
            "no disc",
            "reset",
            "quit"
        ]
    );
    server.stop();
    assert!(!path.exists());
}

#[test]
fn our_client_speaks_to_our_server() {
    let dir = tempfile::tempdir().unwrap();
    // Longer than a socket address holds.
    let deep = dir.path().join("d".repeat(150));
    std::fs::create_dir(&deep).unwrap();
    let path = deep.join("control.sock");
    let (server, fake, events) = start(&path);

    let mut client = Client::connect(&path).expect("connect");
    assert_eq!(client.status().unwrap(), RunState::Running);
    client.stop().unwrap();
    assert_eq!(client.status().unwrap(), RunState::Paused);
    client.cont().unwrap();
    client.wait_for_event("STOP", Duration::from_secs(20)).unwrap();
    client.wait_for_event("RESUME", Duration::from_secs(20)).unwrap();
    client.type_text(&Layout::default(), "aB\n").unwrap();
    assert_eq!(
        fake.seen(),
        ["+a", "-a", "+shift", "+b", "-b", "-shift", "+ret", "-ret"]
    );
    assert!(matches!(
        client.type_text(&Layout::default(), "é"),
        Err(ClientError::Untypable(_))
    ));
    assert!(fake.seen().is_empty());
    let picture = dir.path().join("screen.png");
    client.screenshot(&picture).unwrap();
    let decoder = png::Decoder::new(std::io::BufReader::new(File::open(&picture).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = [0; 6];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!(pixels, [0xFF, 0, 0, 0, 0x80, 0xFF]);
    let refused = client.screenshot(Path::new("/nonexistent/x.png")).unwrap_err();
    assert!(matches!(refused, ClientError::Save { .. }), "{refused}");
    client.shutdown().unwrap();
    client.wait_for_event("POWERDOWN", Duration::from_secs(20)).unwrap();

    // An event emitted just before the end still arrives, then the connection ends.
    events.emit(Event::Shutdown { guest: true });
    server.stop();
    let shutdown = client.wait_for_event("SHUTDOWN", Duration::from_secs(20)).unwrap();
    assert_eq!(shutdown["data"]["guest"], true);
    client.wait_for_end(Duration::from_secs(20)).unwrap();
}

#[test]
fn stale_and_busy_sockets_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let connect = || Client::connect(&path).expect_err("nobody listens");
    assert!(matches!(connect(), ClientError::NotRunning { stale: false, .. }));
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(matches!(connect(), ClientError::NotRunning { stale: true, .. }));

    let (server, ..) = start(&path);
    let events = Events::new();
    let second = Server::start(&path, Fake::new(&events), events.clone());
    assert!(matches!(second, Err(ServerError::InUse(_))));
    drop(server);
    std::fs::write(&path, "precious").unwrap();
    let blocked = Server::start(&path, Fake::new(&events), events);
    assert!(matches!(blocked, Err(ServerError::NotASocket(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn the_server_ends_while_keys_are_held_and_clients_do_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let (server, fake, events) = start(&path);
    let mut client = Client::connect(&path).unwrap();
    let holder = std::thread::spawn(move || client.send_keys(&["a"], Duration::from_secs(3600)));
    let deadline = Instant::now() + Duration::from_secs(20);
    while fake.seen() != ["+a"] {
        assert!(Instant::now() < deadline, "the key was not pressed");
        std::thread::yield_now();
    }
    let _deaf = Client::connect(&path).unwrap();
    for _ in 0..100_000 {
        events.emit(Event::Reset { guest: true });
    }
    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed() < Duration::from_secs(9), "{:?}", begin.elapsed());
    assert_eq!(fake.seen(), ["-a"], "no key stays down");
    holder.join().unwrap().expect("the command was answered");
}

/// A QEMU that ends with the test.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn our_client_drives_qemu() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("qmp.sock");
    let child = Command::new("qemu-system-x86_64")
        .args([
            "-machine",
            "pc,accel=tcg",
            "-S",
            "-display",
            "none",
            "-nodefaults",
            "-vga",
            "std",
        ])
        .arg("-qmp")
        .arg(format!("unix:{},server=on,wait=off", path.display()))
        .spawn()
        .expect("qemu-system-x86_64 must be installed (Debian package qemu-system-x86)");
    let _qemu = Qemu(child);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut client = loop {
        match Client::connect(&path) {
            Ok(client) => break client,
            Err(ClientError::NotRunning { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(client.status().unwrap(), RunState::Paused);
    client.cont().unwrap();
    client.wait_for_event("RESUME", Duration::from_secs(20)).unwrap();
    assert_eq!(client.status().unwrap(), RunState::Running);
    client.type_text(&Layout::default(), "Ok, p2v!\n").unwrap();
    let picture = dir.path().join("screen.png");
    client.screenshot(&picture).unwrap();
    assert!(std::fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    client.stop().unwrap();
    client.quit().unwrap();
    client.wait_for_end(Duration::from_secs(20)).unwrap();
}
