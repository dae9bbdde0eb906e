//! Clients that mean no good, or have died without a word.

use super::Shown;
use super::common::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// Connects and says what a client without a password says, up to the end of ServerInit.
fn greet(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let read = |len: usize| {
        let mut bytes = vec![0; len];
        (&stream).read_exact(&mut bytes).unwrap();
        bytes
    };
    assert_eq!(read(12), b"RFB 003.008\n");
    (&stream).write_all(b"RFB 003.008\n\x01\x01").unwrap();
    assert_eq!(read(6), [1, 1, 0, 0, 0, 0]);
    let init = read(24);
    let name = u32::from_be_bytes(init[20..].try_into().unwrap());
    read(name as usize);
    stream.flush().unwrap();
    stream
}

#[test]
fn a_client_that_stops_reading_stops_nobody() {
    let mut shown = Shown::boot("video-vbe", None);
    shown.guest.wait_for("DRAWN");
    let mut stalled = greet(shown.port);
    stalled.set_nonblocking(true).unwrap();
    // Each asks for the whole picture, 1.9 MB, until nothing fits any more.
    let request = [3, 0, 0, 0, 0, 0, 3, 32, 2, 88];
    let begun = Instant::now();
    let mut asked = 0;
    while begun.elapsed().as_secs() < 5 && asked < 100_000 {
        match stalled.write(&request) {
            Ok(_) => asked += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    let expected = shown.screendump();
    assert_eq!(shown.capture().differences(&expected), 0);
    assert_eq!(shown.client.status().unwrap(), runner::control::RunState::Running);
    // The session ends with the machine, although its output never left.
    let ending = Instant::now();
    shown.end();
    assert!(ending.elapsed().as_secs() < 30, "it held the machine's end up");
    drop(stalled);
}

#[test]
fn nonsense_ends_only_its_own_session() {
    let mut shown = Shown::boot("video-text", None);
    shown.guest.wait_for("DRAWN");
    for nonsense in [
        &b"\x63"[..],
        b"\x02\x00\xFF\xFF",
        b"\x06\x00\x00\x00\xFF\xFF\xFF\xFF",
        b"\x00\x00\x00\x00\x20\x18\x00\x00\x00\xFF\x00\xFF\x00\xFF\x10\x08\x00\x00\x00\x00",
        b"\x00\x00\x00\x00\x40\x18\x00\x01\x00\xFF\x00\xFF\x00\xFF\x10\x08\x00\x00\x00\x00",
    ] {
        let mut stream = greet(shown.port);
        stream.write_all(nonsense).unwrap();
        let mut rest = Vec::new();
        // The end of the connection, not a time-out.
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{nonsense:x?}"),
        }
    }
    let mut stream = TcpStream::connect(("127.0.0.1", shown.port)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    // A text as long as a number can say is dropped byte by byte, and the session goes on.
    let mut stream = greet(shown.port);
    stream.write_all(b"\x06\x00\x00\x00\x00\x10\x00\x00").unwrap();
    stream.write_all(&vec![b'x'; 1 << 20]).unwrap();
    stream.write_all(&[3, 0, 0, 0, 0, 0, 0, 1, 0, 1]).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0, 0, 0, 1]);
    let expected = shown.screendump();
    assert_eq!(shown.capture().differences(&expected), 0);
    shown.end();
}
