//! Finds the C libraries and compiles the shims that stand between them and Rust.

use std::path::PathBuf;

fn main() {
    ext();
    ntfs();
}

/// libext2fs, and the functions of ours that stand for its macros.
fn ext() {
    let Some(includes) = find("ext2fs", "1.46", "libext2fs-dev") else {
        return;
    };
    // The texts of errors.
    if find("com_err", "1.46", "libext2fs-dev").is_some() {
        shim("p2v_ext_shim", &["src/ext/shim.c"], &[], &includes);
    }
    // The shim is a static library that needs the shared one, which must come behind it on the linker's command line.
    println!("cargo::rustc-link-lib=ext2fs");
    println!("cargo::rustc-link-lib=com_err");
}

/// libntfs-3g, and the shim for what its headers offer only as macros and structure fields.
fn ntfs() {
    let Some(includes) = find("libntfs-3g", "2017.3.23", "ntfs-3g-dev") else {
        return;
    };
    let files = ["src/ntfs/device.c", "src/ntfs/volume.c", "src/ntfs/change.c"];
    shim("p2v_ntfs_shim", &files, &["src/ntfs/shim.h"], &includes);
    println!("cargo::rustc-link-lib=ntfs-3g");
}

/// The folders with a library's headers; without it, an error that names its Debian package.
fn find(name: &str, version: &str, package: &str) -> Option<Vec<PathBuf>> {
    match pkg_config::Config::new().atleast_version(version).probe(name) {
        Ok(library) => Some(library.include_paths),
        Err(error) => {
            println!("cargo::error={name}: {error}; it is in the Debian package {package}");
            None
        }
    }
}

fn shim(name: &str, files: &[&str], headers: &[&str], includes: &[PathBuf]) {
    for file in files.iter().chain(headers) {
        println!("cargo::rerun-if-changed={file}");
    }
    cc::Build::new()
        .files(files)
        .includes(includes)
        .warnings(true)
        .extra_warnings(true)
        .flag("-Werror=implicit-function-declaration")
        .compile(name);
}
