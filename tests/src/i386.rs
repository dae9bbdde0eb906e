//! p2v for 32-bit PCs, built on a 64-bit one: for the live system, without what runs machines.
//!
//! The C libraries and their headers are Debian's i386 packages, unpacked into a folder: nothing is installed, and those
//! of this computer stay. Compiler and linker are this computer's: GCC makes 32-bit code, too.

use crate::fixtures::cached;
use crate::{mirror, tool};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rust's target. Not `i686`, whose programs want SSE2: the Pentium III and the Athlon XP have none.
const TARGET: &str = "i586-unknown-linux-gnu";
/// The release that the program is to run on, and older than what it is linked with it may not be.
const SUITE: &str = "bookworm";
const PACKAGES: &str = "libc6-dev,libext2fs-dev,libgcc-12-dev,ntfs-3g-dev";

/// The program, built now; optimised if `release` says so.
///
/// # Errors
/// If packages cannot be fetched, or it cannot be built.
pub fn program(release: bool) -> Result<PathBuf> {
    let packages = packages()?;
    ensure_target()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(&root)
        .args(["build", "--quiet", "--package", "p2v", "--no-default-features"])
        .args(["--target", TARGET]);
    if release {
        command.arg("--release");
    }
    let libraries = packages.join("usr/lib/i386-linux-gnu");
    let compiler = packages.join("usr/lib/gcc/i686-linux-gnu/12");
    let (packages, libraries, compiler) = (packages.display(), libraries.display(), compiler.display());
    command
        .env("CC_i586_unknown_linux_gnu", "gcc")
        .env("CFLAGS_i586_unknown_linux_gnu", format!("--sysroot={packages}"))
        .env("CARGO_TARGET_I586_UNKNOWN_LINUX_GNU_LINKER", "gcc")
        .env(
            "CARGO_TARGET_I586_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            format!(
                "-L native={libraries} -C strip=debuginfo -C link-arg=--sysroot={packages} -C link-arg=-B{compiler} \
                 -C link-arg=-L{compiler} -C link-arg=-B{libraries}"
            ),
        )
        .env("PKG_CONFIG_ALLOW_CROSS", "1")
        .env("PKG_CONFIG_SYSROOT_DIR", packages.to_string())
        .env("PKG_CONFIG_LIBDIR", format!("{libraries}/pkgconfig"));
    tool::run(&mut command)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let program = target
        .join(TARGET)
        .join(if release { "release" } else { "debug" })
        .join("p2v");
    ensure!(program.is_file(), "cargo built no {}", program.display());
    Ok(program)
}

/// The folder with Debian's 32-bit libraries and headers.
fn packages() -> Result<PathBuf> {
    let mirror = mirror::of_system(SUITE).with_context(|| format!("no apt source found for {SUITE}"))?;
    let folder = cached("i386-libraries", &format!("{SUITE} {PACKAGES}"), |folder| {
        tool::run(
            Command::new("mmdebstrap")
                .args(["--quiet", "--variant=extract", "--architectures=i386"])
                .arg(format!("--include={PACKAGES}"))
                .arg(SUITE)
                .arg(folder.join("root"))
                .arg(mirror.line(SUITE)),
        )
        .map(|_| ())
    })?;
    Ok(folder.join("root"))
}

/// Rust's own library for the target, if rustup has to fetch it. Other installations must have it.
fn ensure_target() -> Result<()> {
    let library = tool::text(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    let fetched = tool::run(Command::new("rustup").args(["target", "add", TARGET]));
    fetched
        .map(|_| ())
        .with_context(|| format!("Rust's library for {TARGET} is missing"))
}
