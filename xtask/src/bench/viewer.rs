//! A VNC client that counts what it gets, and looks at no pixel (RFC 6143; Tight: the community's rfbproto document).

use anyhow::{Context, Result, bail, ensure};
use std::io::{BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Encodings that are measured: name and number.
pub(super) const ENCODINGS: [(&str, i32); 3] = [("Raw", 0), ("Tight", 7), ("ZRLE", 16)];

/// What came while it was watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Whole pictures a second.
    pub(super) frames: f64,
    /// Bytes a second, in MB.
    pub(super) rate: f64,
}

struct Connection {
    stream: BufReader<UnixStream>,
    bytes: u64,
    pixels: u64,
}

/// Watches the screen at `socket`; the time counts from the first picture on.
pub(super) fn watch(socket: &Path, encoding: i32, time: Duration) -> Result<Seen> {
    let stream = UnixStream::connect(socket).context("cannot connect to the screen")?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut connection = Connection {
        stream: BufReader::with_capacity(1 << 20, stream),
        bytes: 0,
        pixels: 0,
    };
    let (width, height) = connection.greet(encoding)?;
    connection.request(false, width, height)?;
    connection.update(encoding)?;
    let (begun, bytes, pixels) = (Instant::now(), connection.bytes, connection.pixels);
    while begun.elapsed() < time {
        connection.request(true, width, height)?;
        connection.update(encoding)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let count = |now: u64, before: u64| u32::try_from(now - before).map_or(f64::INFINITY, f64::from);
    let frame = f64::from(width) * f64::from(height);
    Ok(Seen {
        frames: count((connection.pixels - pixels) / 1024, 0) * 1024.0 / frame / seconds,
        rate: count((connection.bytes - bytes) / 1024, 0) * 1024.0 / 1e6 / seconds,
    })
}

impl Connection {
    fn read<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        self.bytes += u64::try_from(N)?;
        Ok(bytes)
    }

    fn skip(&mut self, len: usize) -> Result<()> {
        let len = u64::try_from(len)?;
        let skipped = std::io::copy(&mut (&mut self.stream).take(len), &mut std::io::sink())?;
        ensure!(skipped == len, "the screen went away");
        self.bytes += len;
        Ok(())
    }

    fn send(&mut self, message: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(message)?)
    }

    /// Up to the choice of encodings; the screen's size.
    fn greet(&mut self, encoding: i32) -> Result<(u16, u16)> {
        ensure!(&self.read::<12>()? == b"RFB 003.008\n", "no RFB 3.8");
        self.send(b"RFB 003.008\n\x01")?;
        ensure!(self.read::<6>()? == [1, 1, 0, 0, 0, 0], "a password is asked for");
        self.send(&[1])?;
        let [w1, w0, h1, h0] = self.read::<4>()?;
        self.read::<16>()?;
        let name = u32::from_be_bytes(self.read()?);
        self.skip(usize::try_from(name)?)?;
        let [b3, b2, b1, b0] = encoding.to_be_bytes();
        self.send(&[2, 0, 0, 1, b3, b2, b1, b0])?;
        Ok((u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0])))
    }

    fn request(&mut self, incremental: bool, width: u16, height: u16) -> Result<()> {
        let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
        self.send(&[3, u8::from(incremental), 0, 0, 0, 0, w1, w0, h1, h0])
    }

    /// Reads an update to its end.
    fn update(&mut self, encoding: i32) -> Result<()> {
        let [kind, _, n1, n0] = self.read::<4>()?;
        ensure!(kind == 0, "message {kind}");
        for _ in 0..u16::from_be_bytes([n1, n0]) {
            let [_, _, _, _, w1, w0, h1, h0, e3, e2, e1, e0] = self.read::<12>()?;
            let used = i32::from_be_bytes([e3, e2, e1, e0]);
            ensure!(used == encoding, "encoding {used} in the place of {encoding}");
            let size = [[w1, w0], [h1, h0]].map(|side| usize::from(u16::from_be_bytes(side)));
            let [width, height] = size;
            match encoding {
                0 => self.skip(width * height * 4)?,
                16 => {
                    let len = u32::from_be_bytes(self.read()?);
                    self.skip(usize::try_from(len)?)?;
                }
                7 => self.tight(width, height)?,
                other => bail!("encoding {other}"),
            }
            self.pixels += u64::try_from(width * height)?;
        }
        Ok(())
    }

    fn tight(&mut self, width: usize, height: usize) -> Result<()> {
        let [control] = self.read()?;
        if control & 0xF0 == 0x80 {
            return self.skip(3);
        }
        let mut row = width * 3;
        if control & 0x40 != 0 {
            let [filter] = self.read()?;
            ensure!(filter == 1, "filter {filter}");
            let [last] = self.read()?;
            self.skip((usize::from(last) + 1) * 3)?;
            row = if last == 1 { width.div_ceil(8) } else { width };
        }
        let size = row * height;
        if size < 12 {
            return self.skip(size);
        }
        let (mut len, mut shift) = (0, 0);
        loop {
            let [part] = self.read()?;
            len |= usize::from(if shift == 14 { part } else { part & 127 }) << shift;
            if part & 128 == 0 || shift == 14 {
                return self.skip(len);
            }
            shift += 7;
        }
    }
}
