//! `p2v`: move a whole old PC into a window on the new one.
#![forbid(unsafe_code)]

fn main() {}
