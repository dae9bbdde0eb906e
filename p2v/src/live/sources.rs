//! Where packages come from: the archives that this computer's own apt uses, or a mirror that was named.

use super::recipe::{COMPONENTS, SUITE, SUITES};
use crate::error::{Failure, Result};
use std::process::Command;

/// One-line apt sources for the release. `mirror` is the address of an archive, in the place of those of this computer.
pub(super) fn lines(mirror: Option<&str>) -> Result<Vec<String>> {
    if let Some(mirror) = mirror {
        let suites = SUITES.iter().filter(|suite| !suite.ends_with("-security"));
        return Ok(suites.map(|suite| format!("deb {mirror} {suite} {COMPONENTS}")).collect());
    }
    // apt reads its own files, whatever their form.
    let format = "$(SITE)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)";
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", format, "Created-By: Packages"])
        .output();
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

/// From what `apt-get indextargets` prints; nothing if the release itself is not among it.
fn of_system(targets: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut release = false;
    for target in targets.lines() {
        let mut fields = target.split('|');
        let (Some(site), Some(suite), Some("main"), Some(key)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if !SUITES.contains(&suite) {
            continue;
        }
        release |= suite == SUITE;
        // apt leaves the name of a field in its place if a source has no such field.
        let signed = match key.starts_with('/') {
            true => format!("[signed-by={key}] "),
            false => String::new(),
        };
        let line = format!("deb {signed}{site} {suite} {COMPONENTS}");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if release { lines } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_sources_of_this_release_are_taken_with_firmware() {
        let targets = "http://mirror.example/debian|bookworm|main|/usr/share/keyrings/k.gpg\n\
                       http://mirror.example/debian|bookworm|main|/usr/share/keyrings/k.gpg\n\
                       http://mirror.example/debian|bookworm|contrib|/usr/share/keyrings/k.gpg\n\
                       http://mirror.example/security|bookworm-security|main|$(SIGNED_BY)\n\
                       http://other.example/tools|stable|main|/k.gpg\nnonsense\n";
        assert_eq!(
            of_system(targets),
            [
                "deb [signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian bookworm main non-free-firmware",
                "deb http://mirror.example/security bookworm-security main non-free-firmware",
            ]
        );
        assert!(of_system("http://mirror.example/debian|trixie|main|/k.gpg\n").is_empty());
        assert!(of_system("http://mirror.example/security|bookworm-security|main|/k.gpg\n").is_empty());
    }

    #[test]
    fn a_named_mirror_stands_for_itself() {
        let lines = lines(Some("http://mirror.example/debian")).unwrap();
        assert_eq!(
            lines.first().unwrap(),
            "deb http://mirror.example/debian bookworm main non-free-firmware"
        );
    }
}
