//! Sessions without sockets: what goes in, what comes out.

use super::messages::encoding;
use super::*;
use crate::device::{PortDevice, TestClock};
use crate::display::Console;
use crate::display::Hub;
use crate::input::{InputEvent, Layout};
use crate::kvm::Pages;
use crate::video::{Scene, Vga};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

#[derive(Default)]
struct Signs {
    leds: AtomicU8,
    absolute: AtomicBool,
}

struct Machine(Mutex<Vga>, Mutex<Vec<InputEvent>>, Signs);

impl Console for Machine {
    fn scene(&self) -> Scene {
        self.0.lock().unwrap().scene()
    }
    fn written(&self) -> Pages {
        Pages::none()
    }
    fn input(&self, events: &[InputEvent]) {
        self.1.lock().unwrap().extend_from_slice(events);
    }
    fn leds(&self) -> u8 {
        self.2.leds.load(Ordering::SeqCst)
    }
    fn has_absolute_pointer(&self) -> bool {
        self.2.absolute.load(Ordering::SeqCst)
    }
}

fn set_mode(machine: &Machine, width: u16, height: u16) {
    let mut vga = machine.0.lock().unwrap();
    for (index, value) in [(4, 0), (1, width), (2, height), (3, 32), (4, 0x41)] {
        PortDevice::write(&mut *vga, 0x1CE, 2, index);
        PortDevice::write(&mut *vga, 0x1CF, 2, value.into());
    }
}

/// A client that has just got ServerInit for a screen of 64 by 32 pixels.
fn open() -> (Arc<Machine>, Hub, Session) {
    let vga = Vga::new(Arc::new(TestClock::default()), &[]).unwrap();
    let machine = Arc::new(Machine(Mutex::new(vga), Mutex::default(), Signs::default()));
    set_mode(&machine, 64, 32);
    let hub = Hub::new(machine.clone(), Layout::default());
    let mut session = Session::new(hub.clone(), "pc", None, [0; 16], Arc::new(|| {}));
    session.receive(b"RFB 003.008\n\x01\x01").unwrap();
    assert!(!session.wants_input());
    hub.refresh();
    assert_eq!(produce(&mut session)[18..22], [0, 64, 0, 32]);
    (machine, hub, session)
}

fn produce(session: &mut Session) -> Vec<u8> {
    let mut out = Vec::new();
    session.produce(&mut out);
    out
}

fn encodings(numbers: &[i32]) -> Vec<u8> {
    let count = u8::try_from(numbers.len()).unwrap();
    let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
    [2, 0, 0, count].into_iter().chain(numbers).collect()
}

const ALL: [u8; 10] = [3, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
const CHANGES: [u8; 10] = [3, 1, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];

#[test]
fn nothing_is_sent_that_was_not_asked_for() {
    let (_, hub, mut session) = open();
    hub.refresh();
    assert!(produce(&mut session).is_empty());
    session.receive(&CHANGES).unwrap();
    let picture = produce(&mut session);
    assert_eq!(picture.len(), 4 + 12 + 64 * 32 * 4);
    session.receive(&CHANGES).unwrap();
    assert!(produce(&mut session).is_empty(), "nothing has changed since");
    session.receive(&ALL).unwrap();
    assert_eq!(produce(&mut session), picture);
}

#[test]
fn a_new_size_reaches_each_client_as_it_can() {
    for (encoding, expected) in [
        (
            Some(encoding::DESKTOP_SIZE),
            vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 96, 0, 48, 0xFF, 0xFF, 0xFF, 0x21],
        ),
        (
            Some(encoding::EXTENDED_DESKTOP_SIZE),
            vec![
                0, 0, 0, 1, 0, 0, 0, 0, 0, 96, 0, 48, 0xFF, 0xFF, 0xFE, 0xCC, // header
                1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 96, 0, 48, 0, 0, 0, 0, // one screen
            ],
        ),
        (None, vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 64, 0, 32, 0, 0, 0, 0]),
    ] {
        let (machine, hub, mut session) = open();
        session.receive(&encodings(encoding.as_slice())).unwrap();
        session.receive(&ALL).unwrap();
        produce(&mut session);
        set_mode(&machine, 96, 48);
        hub.refresh();
        assert!(produce(&mut session).is_empty(), "{encoding:?}");
        session.receive(&CHANGES).unwrap();
        let answer = produce(&mut session);
        assert!(
            answer.starts_with(&expected),
            "{encoding:?}: {:?}",
            &answer[..36.min(answer.len())]
        );
        assert_eq!(
            answer.len(),
            if encoding.is_some() {
                expected.len()
            } else {
                16 + 64 * 32 * 4
            }
        );
    }
}

#[test]
fn wishes_for_a_size_are_answered() {
    let (_, _, mut session) = open();
    session.receive(&encodings(&[encoding::EXTENDED_DESKTOP_SIZE])).unwrap();
    session.receive(&ALL).unwrap();
    produce(&mut session);
    session.receive(&[251, 0, 1, 0, 1, 0, 0, 0]).unwrap();
    session.receive(&CHANGES).unwrap();
    // Reason 1: this client's wish; status 1: prohibited.
    assert_eq!(
        produce(&mut session)[..16],
        [0, 0, 0, 1, 0, 1, 0, 1, 0, 64, 0, 32, 0xFF, 0xFF, 0xFE, 0xCC]
    );
}

/// Everything that a client is told of beside the picture comes in an update of its own, before the picture's.
#[test]
fn layouts_of_screens_are_not_together_with_pixels() {
    let (_, _, mut session) = open();
    session.receive(&encodings(&[encoding::EXTENDED_DESKTOP_SIZE])).unwrap();
    let layout = |reason, status| {
        [
            0, 0, 0, 1, 0, reason, 0, status, 0, 64, 0, 32, 0xFF, 0xFF, 0xFE, 0xCC, // header
            1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 32, 0, 0, 0, 0, // one screen
        ]
    };
    for _ in 0..2 {
        // Each request for all tells the layout again.
        session.receive(&ALL).unwrap();
        let answer = produce(&mut session);
        assert_eq!(answer[..36], layout(0, 0));
        assert_eq!(answer[36..52], [0, 0, 0, 1, 0, 0, 0, 0, 0, 64, 0, 32, 0, 0, 0, 0]);
        assert_eq!(answer.len(), 36 + 16 + 64 * 32 * 4);
    }
    // A wish is answered without a request.
    session.receive(&[251, 0, 1, 0, 1, 0, 0, 0]).unwrap();
    assert_eq!(produce(&mut session), layout(1, 1));
    assert!(produce(&mut session).is_empty());
}

#[test]
fn those_who_know_no_layouts_are_told_none() {
    let (_, _, mut session) = open();
    session.receive(&ALL).unwrap();
    produce(&mut session);
    session.receive(&[251, 0, 1, 0, 1, 0, 0, 0]).unwrap();
    session.receive(&CHANGES).unwrap();
    assert!(produce(&mut session).is_empty());
}

#[test]
fn lamps_and_pointers_follow_the_guest() {
    let (machine, _, mut session) = open();
    let list = [encoding::LED_STATE, encoding::CURSOR, encoding::POINTER_MOTION];
    session.receive(&encodings(&list)).unwrap();
    session.receive(&ALL).unwrap();
    let motion = |absolute| [0, absolute, 0, 0, 0, 64, 0, 32, 0xFF, 0xFF, 0xFE, 0xFF];
    let lamps = |leds| [0, 0, 0, 0, 0, 1, 0, 1, 0xFF, 0xFF, 0xFE, 0xFB, leds];
    let no_pointer = [0, 0, 0, 0, 0, 1, 0, 1, 0xFF, 0xFF, 0xFF, 0x11, 0, 0, 0, 0, 0];
    // A client's own pointer stays as it is at first.
    let expected = [&[0, 0, 0, 2][..], &motion(0), &lamps(0)].concat();
    assert_eq!(produce(&mut session)[..expected.len()], expected);
    session.receive(&CHANGES).unwrap();
    assert!(produce(&mut session).is_empty());
    machine.2.leds.store(6, Ordering::SeqCst);
    machine.2.absolute.store(true, Ordering::SeqCst);
    let expected = [&[0, 0, 0, 3][..], &motion(1), &no_pointer, &lamps(6)].concat();
    assert_eq!(produce(&mut session), expected);
    machine.2.absolute.store(false, Ordering::SeqCst);
    let arrow = produce(&mut session);
    assert_eq!(arrow[..16], [&[0, 0, 0, 2][..], &motion(0)].concat());
    assert_eq!(arrow[16..28], [0, 0, 0, 0, 0, 8, 0, 12, 0xFF, 0xFF, 0xFF, 0x11]);
}

#[test]
fn what_a_client_holds_is_released_when_it_goes() {
    let (machine, _, mut session) = open();
    session.receive(&[4, 1, 0, 0, 0, 0, 0, 0x41]).unwrap();
    session.receive(&[5, 1, 0, 9, 0, 9]).unwrap();
    drop(session);
    let key = |code: &str, down| InputEvent::Key {
        code: code.to_owned(),
        down,
    };
    let button = |down| InputEvent::Button {
        name: "left".to_owned(),
        down,
    };
    let expected = [
        key("shift", true),
        key("a", true),
        button(true),
        key("a", false),
        key("shift", false),
        button(false),
    ];
    assert_eq!(*machine.1.lock().unwrap(), expected);
}

/// Keys by scan code: pressed, or released.
fn keys(codes: &[(u8, bool)]) -> Vec<u8> {
    let key = |(code, down): &(u8, bool)| [255, 0, 0, u8::from(*down), 0, 0, 0, 0, 0, 0, 0, *code];
    codes.iter().flat_map(key).collect()
}

#[test]
fn what_is_copied_is_typed_when_it_is_asked_for_until_a_key_is_pressed() {
    let (machine, hub, mut session) = open();
    let mut text = vec![6, 0, 0, 0, 0, 0, 1, 0];
    text.extend([b'X'; 256]);
    session.receive(&text).unwrap();
    let chord = keys(&[(0x1D, true), (0x38, true), (0x2A, true), (0x2F, true)]);
    session.receive(&chord).unwrap();
    // The client's keyboard repeats the last key.
    session.receive(&keys(&[(0x2F, true), (0x2F, true)])).unwrap();
    let typed = |events: &[InputEvent]| {
        let x = |event: &&InputEvent| matches!(event, InputEvent::Key { code, down: true } if code == "x");
        events.iter().filter(x).count()
    };
    while typed(&machine.1.lock().unwrap()) < 2 {
        std::thread::yield_now();
    }
    // Somebody else's key.
    let mut other = hub.subscribe(Arc::new(|| {}));
    other.key("esc", true);
    let events = std::mem::take(&mut *machine.1.lock().unwrap());
    assert!(typed(&events) < 256);
    let (last, before) = events.split_last().unwrap();
    let escape = |down| InputEvent::Key {
        code: "esc".to_owned(),
        down,
    };
    assert_eq!(*last, escape(true));
    let mut held = std::collections::BTreeSet::new();
    for event in before {
        match event {
            InputEvent::Key { code, down: true } => assert!(held.insert(code.clone()), "{code}"),
            InputEvent::Key { code, down: false } => assert!(held.remove(code), "{code}"),
            other => panic!("{other:?}"),
        }
        assert_ne!(held.first().map(String::as_str), Some("v"));
    }
    assert!(held.is_empty(), "{held:?}");
    // When the modifiers were let go, the key is the guest's again.
    session.receive(&keys(&[(0x2A, false), (0x2F, true)])).unwrap();
    let v = InputEvent::Key {
        code: "v".to_owned(),
        down: true,
    };
    assert_eq!(*machine.1.lock().unwrap(), [v]);
}

#[test]
fn a_text_beyond_latin_1_is_announced_fetched_and_typed() {
    let (machine, _, mut session) = open();
    session.receive(&encodings(&[encoding::EXTENDED_CLIPBOARD])).unwrap();
    let capabilities = [3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xF8, 0x1D, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(produce(&mut session), capabilities);
    let announced = [6, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFC, 8, 0, 0, 1];
    session.receive(&announced).unwrap();
    assert!(produce(&mut session).is_empty());
    let chord = keys(&[(0x1D, true), (0x38, true), (0x2A, true), (0x2F, true)]);
    session.receive(&chord).unwrap();
    assert_eq!(produce(&mut session), [3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFC, 2, 0, 0, 1]);
    machine.1.lock().unwrap().clear();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zlib, b"\0\0\0\x02a\0").unwrap();
    let data = zlib.finish().unwrap();
    let len = -i32::try_from(data.len() + 4).unwrap();
    let mut provided = vec![6, 0, 0, 0];
    provided.extend(len.to_be_bytes());
    provided.extend([0x10, 0, 0, 1]);
    provided.extend(data);
    session.receive(&provided).unwrap();
    let key = |down| InputEvent::Key {
        code: "a".to_owned(),
        down,
    };
    while machine.1.lock().unwrap().len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(*machine.1.lock().unwrap(), [key(true), key(false)]);
}

proptest::proptest! {
    /// How the bytes are cut into pieces makes no difference.
    #[test]
    fn pieces_are_put_together(cuts in proptest::collection::vec(1..20usize, 0..40)) {
        let mut bytes = encodings(&[encoding::ZRLE, encoding::DESKTOP_SIZE, encoding::EXTENDED_KEY]);
        bytes.extend([0, 0, 0, 0, 16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0]);
        bytes.extend([6, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4, 5]);
        bytes.extend([255, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 0x1E]);
        bytes.extend(ALL);
        let (machine, _, mut whole) = open();
        whole.receive(&bytes).unwrap();
        let (other_machine, _, mut cut) = open();
        let mut rest = bytes.as_slice();
        for len in cuts {
            let (piece, left) = rest.split_at(len.min(rest.len()));
            cut.receive(piece).unwrap();
            rest = left;
        }
        cut.receive(rest).unwrap();
        proptest::prop_assert_eq!(produce(&mut whole), produce(&mut cut));
        proptest::prop_assert_eq!(&*machine.1.lock().unwrap(), &*other_machine.1.lock().unwrap());
    }
}
