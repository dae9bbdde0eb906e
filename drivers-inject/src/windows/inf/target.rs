//! Which sections of an INF file are meant for a system: their decorations.
//!
//! Source: Microsoft, "INF Manufacturer Section" (`TargetOSVersion`), "Creating INF Files for Multiple Platforms and
//! Operating Systems".

/// The system that a driver is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `x86`, `x86_64`, `aarch64`.
    pub(crate) architecture: &'static str,
    /// Kernel version: (5, 1) is Windows XP, (10, 0) Windows 10 and 11.
    pub(crate) version: (u32, u32),
    /// 2600, 19045.
    pub(crate) build: u32,
    /// A server edition.
    pub(crate) server: bool,
}

impl Target {
    /// As decorations write it.
    pub(super) fn platform(&self) -> &'static str {
        match self.architecture {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            _ => "x86",
        }
    }

    /// How well a decoration fits, for comparing; `None` if the section is not meant for this system.
    ///
    /// `NTamd64.10.0...19041`: platform, major and minor version, product type, suite, build. The highest version that
    /// is not above the system's is meant; then what is told more exactly.
    pub(super) fn rank(&self, decoration: &str) -> Option<Rank> {
        let lower = decoration.trim().to_lowercase();
        let mut parts = lower.strip_prefix("nt")?.split('.');
        let platform = parts.next().filter(|platform| !platform.is_empty());
        if platform.is_some_and(|platform| platform != self.platform()) {
            return None;
        }
        let mut numbers = [None; 5];
        for number in &mut numbers {
            *number = match parts.next() {
                None | Some("") => None,
                Some(part) => Some(number_of(part)?),
            };
        }
        if parts.next().is_some() {
            return None;
        }
        let [major, minor, product, suite, build] = numbers;
        let version = (major.unwrap_or(0), minor.unwrap_or(0));
        // 1: workstation, 2: domain controller, 3: server. A controller is a server that may be either.
        let fits = product.is_none_or(|product| (product == 1) != self.server);
        // Suites name special editions, which cannot be told from here.
        let fits = fits && suite.is_none_or(|suite| suite == 0);
        let fits = fits && version <= self.version && build.is_none_or(|build| build <= self.build);
        fits.then_some((version, build.unwrap_or(0), product.is_some(), platform.is_some()))
    }
}

/// Version, build, whether the product type and the platform are named: larger fits better.
pub(super) type Rank = ((u32, u32), u32, bool, bool);

/// A number, decimal or hexadecimal.
pub(super) fn number_of(text: &str) -> Option<u32> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]
mod tests {
    use super::Target;

    #[test]
    fn the_closest_decoration_that_is_not_above_wins() {
        let target = |architecture, version, build, server| Target {
            architecture,
            version,
            build,
            server,
        };
        let xp = target("x86", (5, 1), 2600, false);
        let server = target("x86_64", (6, 1), 7601, true);
        let ten = target("x86_64", (10, 0), 19_045, false);
        let all = [
            "NT",
            "NTx86",
            "NTx86.5.1",
            "NTx86.5.2",
            "NTx86.6.0",
            "NTamd64",
            "NTamd64.6.0",
            "NTamd64.6.1.1",
            "NTamd64.6.1.3",
            "NTamd64.6.1",
            "NTamd64.6.2",
            "NTamd64.10.0",
            "NTamd64.10.0...18362",
            "NTamd64.10.0...22000",
            "NTARM64.10.0",
            "NTia64",
            "NTamd64.6.1..2",
            "NTamd64.x",
            "junk",
            "",
        ];
        let best = |target: Target| {
            let ranked = all.iter().filter_map(|text| Some((target.rank(text)?, *text)));
            ranked.max().unwrap().1
        };
        assert_eq!(best(xp), "NTx86.5.1");
        assert_eq!(best(server), "NTamd64.6.1.3");
        assert_eq!(
            best(Target {
                server: false,
                ..server
            }),
            "NTamd64.6.1.1"
        );
        assert_eq!(best(ten), "NTamd64.10.0...18362");
        assert_eq!(best(Target { build: 22_631, ..ten }), "NTamd64.10.0...22000");
        assert_eq!(best(Target { build: 10_240, ..ten }), "NTamd64.10.0");
        assert_eq!(best(target("x86_64", (5, 2), 3790, true)), "NTamd64");
        assert_eq!(best(target("aarch64", (10, 0), 22_631, false)), "NTARM64.10.0");
        assert_eq!(best(target("x86", (5, 0), 2195, false)), "NTx86");
        assert_eq!(xp.rank("NTx86.5.1.0.0.1.2"), None);
    }
}
