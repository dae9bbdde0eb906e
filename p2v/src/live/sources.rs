//! Where packages come from: the archives that this computer's own apt uses, or a mirror that was named.

use super::recipe::{COMPONENTS, SUITE, SUITES};
use crate::error::{Failure, Result};
use std::process::Command;

/// One-line apt sources for the release. `mirror` is the address of an archive, in the place of those of this computer.
/// mmdebstrap knows the release's keys.
pub(super) fn lines(mirror: Option<&str>) -> Result<Vec<String>> {
    if let Some(mirror) = mirror {
        let suites = SUITES.iter().filter(|suite| !suite.ends_with("-security"));
        return Ok(suites.map(|suite| line(mirror, suite)).collect());
    }
    // apt reads its own files, whatever their form, and says what it would fetch.
    let output = Command::new("apt-get").args(["update", "--print-uris"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let found = of_system(&text.unwrap_or_default());
    if found.is_empty() {
        return Err(
            Failure::refused(format!("this computer's apt has no source for Debian 12 ({SUITE})"))
                .advice("Name a Debian archive with `--mirror ADDRESS`, as it would stand in an apt source."),
        );
    }
    Ok(found)
}

fn line(site: &str, suite: &str) -> String {
    format!("deb {site} {suite} {COMPONENTS}")
}

/// From what `apt-get update --print-uris` prints: `'http://host/debian/dists/bookworm/InRelease' … 0`. Nothing if the
/// release itself is not among it.
fn of_system(printed: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut release = false;
    for printed in printed.lines() {
        let address = printed.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        let address = address.and_then(|(address, _)| address.strip_suffix("/InRelease"));
        let Some((site, suite)) = address.and_then(|address| address.split_once("/dists/")) else {
            continue;
        };
        if SUITES.contains(&suite) {
            release |= suite == SUITE;
            lines.push(line(site, suite));
        }
    }
    if release { lines } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_sources_of_this_release_are_taken_with_firmware() {
        let printed = "'http://mirror.example/debian/dists/bookworm/InRelease' mirror.example_InRelease 0 \n\
                       'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' x 0 \n\
                       'http://mirror.example/sec/dists/bookworm-security/InRelease' mirror.example_InRelease 0 \n\
                       'http://other.example/tools/dists/stable/InRelease' other.example_InRelease 0 \nnonsense\n";
        assert_eq!(
            of_system(printed),
            [
                "deb http://mirror.example/debian bookworm main non-free-firmware",
                "deb http://mirror.example/sec bookworm-security main non-free-firmware",
            ]
        );
        assert!(of_system("'http://mirror.example/debian/dists/trixie/InRelease' x 0").is_empty());
        assert!(of_system("'http://mirror.example/sec/dists/bookworm-security/InRelease' x 0").is_empty());
    }

    #[test]
    fn a_named_mirror_stands_for_itself() {
        let lines = lines(Some("http://mirror.example/debian")).unwrap();
        assert_eq!(
            lines,
            [
                "deb http://mirror.example/debian bookworm main non-free-firmware",
                "deb http://mirror.example/debian bookworm-updates main non-free-firmware",
            ]
        );
    }
}
