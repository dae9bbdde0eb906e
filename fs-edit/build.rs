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
        let files = ["device.c", "volume.c", "file.c", "inode.c"].map(|file| format!("src/ext/{file}"));
        shim("p2v_ext_shim", &files, "src/ext/shim.h", &includes);
    }
    link("ext2fs");
    link("com_err");
}

/// libntfs-3g, and the shim for what its headers offer only as macros and structure fields.
fn ntfs() {
    let Some(includes) = find("libntfs-3g", "2017.3.23", "ntfs-3g-dev") else {
        return;
    };
    let files = ["device.c", "volume.c", "change.c"].map(|file| format!("src/ntfs/{file}"));
    shim("p2v_ntfs_shim", &files, "src/ntfs/shim.h", &includes);
    link("ntfs-3g");
}

/// Links a library into the program itself: p2v is to run on any live system, which may not have it. After the shim,
/// which needs it.
fn link(name: &str) {
    println!("cargo::rustc-link-lib=static={name}");
}

/// The folders with a library's headers; without it, an error that names its Debian package.
fn find(name: &str, version: &str, package: &str) -> Option<Vec<PathBuf>> {
    // The crate would choose the shared library.
    let mut config = pkg_config::Config::new();
    let probed = config.atleast_version(version).cargo_metadata(false).probe(name);
    match probed.and_then(|library| Ok((library, pkg_config::get_variable(name, "libdir")?))) {
        Ok((library, folder)) => {
            println!("cargo::rustc-link-search=native={folder}");
            Some(library.include_paths)
        }
        Err(error) => {
            println!("cargo::error={name}: {error}; it is in the Debian package {package}");
            None
        }
    }
}

fn shim(name: &str, files: &[String], header: &str, includes: &[PathBuf]) {
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    println!("cargo::rerun-if-changed={header}");
    cc::Build::new()
        .files(files)
        .includes(includes)
        .warnings(true)
        .extra_warnings(true)
        .flag("-Werror=implicit-function-declaration")
        .compile(name);
}
