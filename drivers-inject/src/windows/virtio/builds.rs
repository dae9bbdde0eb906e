//! In which folders of virtio-win a driver for a system may be, the best first.

use super::Target;

/// A build: for one Windows, or the server of the same kernel.
struct Build {
    /// Names of its folder, today's first; names do not depend on case.
    folders: &'static [&'static str],
    /// Kernel version and the lowest build number.
    kernel: ((u32, u32), u32),
    server: bool,
}

const fn build(folders: &'static [&'static str], version: (u32, u32), number: u32, server: bool) -> Build {
    Build {
        folders,
        kernel: (version, number),
        server,
    }
}

/// Every build that there is or was, from the oldest to the newest.
///
/// Source: the layout of virtio-win's discs, and the older names of its packages.
const BUILDS: [Build; 15] = [
    build(&["xp", "WXP", "WinXP"], (5, 1), 0, false),
    build(&["2k3", "WNET", "W2K3", "Win2003"], (5, 2), 0, true),
    build(&["2k8", "WLH", "Win2008", "Vista"], (6, 0), 0, true),
    build(&["w7", "WIN7"], (6, 1), 0, false),
    build(&["2k8R2", "Win2008R2"], (6, 1), 0, true),
    build(&["w8", "WIN8"], (6, 2), 0, false),
    build(&["2k12", "Win2012"], (6, 2), 0, true),
    build(&["w8.1", "Win8.1"], (6, 3), 0, false),
    build(&["2k12R2", "Win2012R2"], (6, 3), 0, true),
    build(&["w10", "Win10"], (10, 0), 0, false),
    build(&["2k16", "Win2016"], (10, 0), 14_393, true),
    build(&["2k19", "Win2019"], (10, 0), 17_763, true),
    build(&["2k22", "Win2022"], (10, 0), 20_348, true),
    build(&["w11", "Win11"], (10, 0), 22_000, false),
    build(&["2k25", "Win2025"], (10, 0), 26_100, true),
];

/// Folders for the driver `name`, the best first; the last is the source's root.
pub(super) fn folders(name: &str, target: &Target) -> Vec<String> {
    let platforms: &[&str] = match target.architecture {
        "x86" => &["x86", "i386"],
        "x86_64" => &["amd64", "x64"],
        "aarch64" => &["ARM64"],
        _ => &[],
    };
    let kernel = (target.version, target.build);
    // Windows Vista changed how drivers work: those of the time before are not for it.
    let same_age = |build: &&Build| (build.kernel.0.0 < 6) == (target.version.0 < 6);
    let mut fitting: Vec<&Build> = BUILDS
        .iter()
        .filter(|build| build.kernel <= kernel)
        .filter(same_age)
        .collect();
    // The newest kernel; of two builds for the same one that for the same kind.
    fitting.sort_by_key(|build| std::cmp::Reverse((build.kernel.0, build.server == target.server, build.kernel.1)));
    let mut folders = Vec::new();
    for system in fitting.iter().flat_map(|build| build.folders) {
        for platform in platforms {
            folders.push(format!("{name}/{system}/{platform}"));
            folders.push(format!("by-driver/{name}/{system}/{platform}"));
            folders.push(format!("drivers/by-driver/{name}/{system}/{platform}"));
            folders.push(format!("{platform}/{system}"));
            folders.push(format!("by-os/{platform}/{system}"));
            folders.push(format!("drivers/by-os/{platform}/{system}"));
            folders.push(format!("drivers/{platform}/{system}"));
            folders.push(format!("{system}/{platform}"));
        }
    }
    folders.push(String::new());
    folders
}
