//! boot.ini of Windows NT to 2003: which folders hold a Windows.

use crate::volumes::MountedVolume;

/// The Windows folders that the volume's boot.ini names, as paths inside whichever volume they are on.
pub(super) fn folders(volume: &mut MountedVolume) -> Vec<String> {
    let text = volume.text("boot.ini").unwrap_or_default();
    let mut folders: Vec<String> = text.lines().filter_map(folder).collect();
    folders.sort_unstable();
    folders.dedup();
    folders
}

/// The folder in a line such as `multi(0)disk(0)rdisk(0)partition(1)\WINDOWS="Microsoft Windows XP" /fastdetect`.
fn folder(line: &str) -> Option<String> {
    // `default=` of the [boot loader] section has an ARC path, too; options and titles have no `partition(`.
    let (_, rest) = line.split_once("partition(")?;
    let (_, path) = rest.split_once(")\\")?;
    let path = path.split('=').next()?.trim().trim_matches('\\');
    (!path.is_empty()).then(|| path.replace('\\', "/"))
}

#[cfg(test)]
mod tests {
    use super::folder;

    #[test]
    fn arc_paths_name_their_folder() {
        let line = r#"multi(0)disk(0)rdisk(0)partition(2)\OS\WINNT="Microsoft Windows 2000" /fastdetect"#;
        assert_eq!(folder(line).as_deref(), Some("OS/WINNT"));
        assert_eq!(
            folder(r"default=multi(0)disk(0)rdisk(0)partition(1)\WINDOWS").as_deref(),
            Some("WINDOWS")
        );
        assert_eq!(folder(r#"C:\="Previous operating system""#), None);
        assert_eq!(folder("timeout=30"), None);
    }
}
