//! Measures what cluster size and compression level cost: `cargo run --release -p disk --example qcow2_bench -- DISK.raw
//! OUT.qcow2 THREADS [BITS:LEVEL]…`. Each image is made like a capture: read, BLAKE3 of everything, zero check,
//! compression on all threads, one writer. The figures are in docs/specification.md.

use anyhow::{Context, Result};
use disk::qcow2::{Compression, Image, Overlay, OverlayOptions, Writer, WriterOptions};
use disk::{RawFile, ReadAt};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const CHUNK: u64 = 4 << 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, target, threads, settings @ ..] = &arguments[..] else {
        anyhow::bail!("usage: qcow2_bench DISK.raw OUT.qcow2 THREADS [BITS:LEVEL]…");
    };
    let source = RawFile::open(Path::new(source), false)?;
    println!("| cluster KiB | level | wall s | CPU s | image MiB | 4 KiB reads/s | read MiB/s | through an overlay |");
    println!("|---|---|---|---|---|---|---|---|");
    for setting in settings {
        let (bits, level) = setting.split_once(':').context("BITS:LEVEL")?;
        measure(
            &source,
            Path::new(target),
            threads.parse()?,
            bits.parse()?,
            level.parse()?,
        )?;
    }
    Ok(())
}

fn measure(source: &RawFile, target: &Path, threads: usize, cluster_bits: u32, level: i32) -> Result<()> {
    let _ = std::fs::remove_file(target);
    let options = WriterOptions {
        virtual_size: source.size(),
        cluster_bits,
        compression: Compression::Zstd(level),
    };
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let writer = Mutex::new(Writer::create(target, options)?);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| work(source, &writer, &next, cluster_bits)))
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("a worker panicked"))
    })?;
    let summary = writer.into_inner().expect("a worker panicked").finish()?;
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let size = summary.file_size as f64 / f64::from(1 << 20);
    let image = Image::open(target)?;
    let reads = random_reads(&image)?;
    let alone = sequential_reads(&image)?;
    drop(image);
    let options = OverlayOptions { ephemeral: true };
    let through = sequential_reads(&Overlay::open_or_create(target, target, options)?)?;
    println!(
        "| {} | {level} | {wall:.2} | {cpu:.2} | {size:.1} | {reads:.0} | {alone:.0} | {through:.0} |",
        (1 << cluster_bits) >> 10
    );
    Ok(())
}

fn work(source: &RawFile, writer: &Mutex<Writer>, next: &AtomicU64, cluster_bits: u32) -> Result<()> {
    let mut encoder = writer.lock().expect("a worker panicked").encoder()?;
    let mut data = vec![0; CHUNK as usize];
    loop {
        let offset = next.fetch_add(CHUNK, Ordering::Relaxed);
        if offset >= source.size() {
            return Ok(());
        }
        data.truncate((source.size() - offset) as usize);
        source.read_at(offset, &mut data)?;
        std::hint::black_box(blake3::hash(&data));
        let encoded = data
            .chunks(1 << cluster_bits)
            .map(|cluster| encoder.encode(cluster))
            .collect::<Result<Vec<_>, _>>()?;
        let mut writer = writer.lock().expect("a worker panicked");
        for (number, cluster) in encoded.iter().enumerate() {
            writer.append((offset >> cluster_bits) + number as u64, cluster)?;
        }
    }
}

/// How many 4 KiB reads a second from used places all over the disk: a guest that starts a program.
fn random_reads(image: &Image) -> Result<f64> {
    let used: Vec<_> = image.allocated()?.iter().collect();
    let mut state = 88_172_645_463_325_252u64;
    let mut buf = [0; 4096];
    let start = Instant::now();
    let reads = 20_000;
    for _ in 0..reads {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let range = &used[(state >> 32) as usize % used.len()];
        let blocks = (range.end - range.start) / 4096;
        image.read_at(range.start + (state % blocks) * 4096, &mut buf)?;
    }
    Ok(f64::from(reads) / start.elapsed().as_secs_f64())
}

/// MiB a second of one thread that reads the first GiB in pieces of 128 KiB: a guest that copies files.
fn sequential_reads(disk: &impl ReadAt) -> Result<f64> {
    let mut buf = vec![0; 128 << 10];
    let end = disk.size().min(1 << 30) / buf.len() as u64;
    let start = Instant::now();
    for piece in 0..end {
        disk.read_at(piece * buf.len() as u64, &mut buf)?;
    }
    Ok((end * buf.len() as u64) as f64 / f64::from(1 << 20) / start.elapsed().as_secs_f64())
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
