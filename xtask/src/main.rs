//! Developer commands: `cargo xtask demo|test|bench|fuzz|rig`.
#![forbid(unsafe_code)]

fn main() {}
