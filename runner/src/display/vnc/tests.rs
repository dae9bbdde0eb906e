//! Sessions without sockets: what goes in, what comes out.

use super::messages::encoding;
use super::*;
use crate::device::{PortDevice, TestClock};
use crate::display::Console;
use crate::display::Hub;
use crate::input::InputEvent;
use crate::kvm::Pages;
use crate::video::{Scene, Vga};
use std::sync::Arc;
use std::sync::Mutex;

struct Machine(Mutex<Vga>, Mutex<Vec<InputEvent>>);

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
    let machine = Arc::new(Machine(Mutex::new(vga), Mutex::default()));
    set_mode(&machine, 64, 32);
    let hub = Hub::new(machine.clone());
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
