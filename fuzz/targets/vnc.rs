//! Whatever a VNC client sends, in whatever pieces, and whatever the screen does meanwhile: the session answers with a
//! bounded number of bytes or ends.
#![no_main]
use runner::device::{PortDevice, TestClock};
use runner::display::vnc::{Password, Session};
use runner::display::{Console, Hub};
use runner::input::{InputEvent, Layout};
use runner::kvm::Pages;
use runner::video::{Scene, Vga};
use std::sync::{Arc, Mutex};

struct Machine(Mutex<Vga>);

impl Console for Machine {
    fn scene(&self) -> Scene {
        self.0.lock().unwrap().scene()
    }
    fn written(&self) -> Pages {
        Pages::none()
    }
    fn input(&self, events: &[InputEvent]) {
        assert!(events.len() <= 512, "more keys than a keyboard has");
    }
}

impl Machine {
    fn set_mode(&self, width: u16, height: u16) {
        let mut vga = self.0.lock().unwrap();
        for (index, value) in [(4, 0), (1, width), (2, height), (3, 32), (4, 0xC1)] {
            PortDevice::write(&mut *vga, 0x1CE, 2, index);
            PortDevice::write(&mut *vga, 0x1CF, 2, value.into());
        }
    }
}

thread_local! {
    // Making 16 MiB of memory for each input would cost more than the input.
    static MACHINE: Arc<Machine> =
        Arc::new(Machine(Mutex::new(Vga::new(Arc::new(TestClock::default()), &[]).expect("memory"))));
}

libfuzzer_sys::fuzz_target!(|input: (bool, bool, Vec<(u8, Vec<u8>)>)| {
    let (with_password, greeted, pieces) = input;
    MACHINE.with(|machine| {
        machine.set_mode(96, 80);
        let hub = Hub::new(machine.clone(), Layout::default());
        let password = with_password.then(|| Password::new(b"secret").unwrap());
        let challenge = [7; 16];
        let mut session = Session::new(hub.clone(), "pc", password.clone(), challenge, Arc::new(|| {}));
        let mut out = Vec::new();
        if greeted {
            let mut hello = b"RFB 003.008\n".to_vec();
            match &password {
                Some(password) => {
                    hello.push(2);
                    hello.extend(password.response(&challenge));
                }
                None => hello.push(1),
            }
            hello.push(1);
            session.receive(&hello).expect("a good client");
            hub.refresh();
            session.produce(&mut out);
            assert!(session.wants_input());
        }
        for (action, bytes) in pieces {
            match action % 8 {
                0 => machine.set_mode(64 + u16::from(action), 16 + u16::from(action / 2)),
                1 => hub.refresh(),
                _ if session.wants_input() && session.receive(&bytes).is_err() => {
                    session.last_words(&mut out);
                    return;
                }
                _ => {}
            }
            out.clear();
            session.produce(&mut out);
            // The largest picture here is 320 by 144; nothing is said twice.
            assert!(out.len() < 320 * 144 * 4 + 65536, "{} bytes", out.len());
        }
    });
});
