//! Capture: command line → [`plan`] → [`pipeline`] (read, encode) and [`rescue`] of what the disk could not read → [`store`]
//! → machine folder → report. What an earlier run stored is gone on with ([`resume`]).

mod buffer;
pub(crate) mod checksums;
mod fingerprint;
mod finish;
pub(crate) mod live;
mod lost;
pub(crate) mod mapfile;
mod media;
mod pipeline;
mod plan;
pub(crate) mod progress;
mod request;
pub(crate) mod rescue;
mod resume;
pub(crate) mod store;
mod target;

pub(crate) use buffer::Buffer;
pub(crate) use finish::{Outcome, carry_out};
pub(crate) use plan::{Plan, intersection};
pub(crate) use request::Request;
pub(crate) use target::{HOPELESS, check_not_on_source, device_lies_on};

/// Bytes that are read, hashed and handed to a worker at once. Chunks lie on multiples of it.
pub(crate) const CHUNK: u64 = 2 << 20;

/// What a capture's used ranges are rounded outwards to: the page, and the largest usual sector.
pub(crate) const GRAIN: u64 = 4096;
