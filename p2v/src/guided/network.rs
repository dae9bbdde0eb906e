//! Waiting for the network: a PC that has just started from a stick asks where the copy should go before it has one.

use crate::error::Result;
use crate::signals::Stop;
use std::fs;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

/// No longer than this: the PC may have none, which ssh then says.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);
/// What the kernel knows of ways to other computers (proc_net(5)).
const ROUTES: [&str; 2] = ["/proc/net/route", "/proc/net/ipv6_route"];

/// Comes back when there is a network, or none in sight, if `host` is another computer. An error if `stop` asks for it.
pub(super) fn wait(host: &str, stop: &Stop) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !is_this_computer(host) && !is_there() && Instant::now() < end {
        stop.check()?;
        thread::sleep(POLL);
    }
    stop.check()
}

fn is_this_computer(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn is_there() -> bool {
    // A kernel that does not tell has nothing to wait for.
    let known: Vec<String> = ROUTES.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    known.is_empty() || known.iter().flat_map(|text| text.lines()).any(leads_out)
}

/// Whether a line of one of the files is a way to other computers, not only to those on the same cable that have no
/// address yet either.
fn leads_out(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        // IPv6: destination first, interface last. Link-local and multicast destinations are there as soon as a cable is.
        [destination, .., interface] if destination.len() == 32 => {
            interface != "lo" && !destination.starts_with("fe80") && !destination.starts_with("ff")
        }
        // IPv4: interface first.
        [interface, destination, ..] => destination.len() == 8 && interface != "lo",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_to_others_are_told_from_those_that_are_always_there() {
        let lines = |text: &str| text.lines().filter(|line| leads_out(line)).count();
        let before = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT   \n\
            fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001     eth0\n\
            00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001       lo\n\
            ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000003 00000000 00000001     eth0\n";
        assert_eq!(lines(before), 0);
        let after = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
            fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n";
        assert_eq!(lines(after), 2);
    }

    #[test]
    fn nobody_waits_for_a_network_to_reach_this_computer_or_after_a_stop() {
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(is_this_computer(host), "{host}");
        }
        assert!(!is_this_computer("newpc") && !is_this_computer("192.168.1.20"));
        let stop = Stop::default();
        assert!(wait("localhost", &stop).is_ok());
        stop.cancel();
        assert!(wait("newpc", &stop).is_err());
    }
}
