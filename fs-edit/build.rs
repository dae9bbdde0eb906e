//! Compiles the C parts and finds the libraries.

fn main() {
    ext();
}

/// libext2fs, and the functions of ours that stand for its macros.
fn ext() {
    const SHIM: &str = "src/ext/shim.c";
    println!("cargo::rerun-if-changed={SHIM}");
    let find = |name: &str, version: &str| {
        pkg_config::Config::new()
            .atleast_version(version)
            .probe(name)
            .unwrap_or_else(|error| panic!("{name} is needed (Debian package libext2fs-dev): {error}"))
    };
    let library = find("ext2fs", "1.46");
    // The texts of errors.
    find("com_err", "1.46");
    cc::Build::new()
        .file(SHIM)
        .includes(&library.include_paths)
        .warnings(true)
        .extra_warnings(true)
        .compile("p2v_ext_shim");
}
