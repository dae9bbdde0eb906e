//! Finds the C libraries and compiles the shims that stand between them and Rust.

fn main() {
    ntfs();
}

/// libntfs-3g, and the shim for what its headers offer only as macros and structure fields.
fn ntfs() {
    const SHIM: [&str; 3] = ["src/ntfs/device.c", "src/ntfs/volume.c", "src/ntfs/change.c"];
    for file in SHIM.iter().chain(&["src/ntfs/shim.h"]) {
        println!("cargo::rerun-if-changed={file}");
    }
    let library = match pkg_config::Config::new()
        .atleast_version("2017.3.23")
        .probe("libntfs-3g")
    {
        Ok(library) => library,
        Err(error) => {
            println!("cargo::error=libntfs-3g: {error}; it is in the Debian package ntfs-3g-dev");
            return;
        }
    };
    cc::Build::new()
        .files(SHIM)
        .includes(library.include_paths)
        .warnings(true)
        .extra_warnings(true)
        .flag("-Werror=implicit-function-declaration")
        .compile("fs_edit_ntfs");
    // The shim is a static library that needs the shared one: it must come before it on the linker's command line.
    println!("cargo::rustc-link-lib=ntfs-3g");
}
