//! The files of the packages.

use super::super::system::Windows;
use super::{VirtioSkip, WHY};
use crate::windows::inf::DRIVERS_FOLDER;
use crate::windows::virtio::VirtioDriver;

/// Where the packages go, below the Windows folder.
const FOLDER: &str = "Drivers/VirtIO";

/// The packages' files: all of them where Windows looks for drivers, the drivers themselves in `System32\drivers`.
pub(super) fn write(windows: &mut Windows<'_>, drivers: &[VirtioDriver]) -> Result<(), VirtioSkip> {
    let mut written: Vec<(String, &[u8])> = Vec::new();
    windows.create_folder(FOLDER);
    for driver in drivers {
        let version = driver.inf.driver_version().unwrap_or_else(|| "unknown".to_owned());
        let origin = format!("the virtio drivers, folder \"{}\", version {version}", driver.origin);
        for (name, contents) in &driver.files {
            let name_there = name.to_lowercase();
            match written.iter().find(|(other, _)| *other == name_there) {
                Some((_, other)) if *other == contents.as_slice() => continue,
                Some(_) => return Err(VirtioSkip::SameName(name.clone())),
                None => written.push((name_there, contents)),
            }
            write_one(windows, &format!("{FOLDER}/{name}"), contents, &origin)?;
            for copy in drivers_among(driver, name) {
                let path = format!("System32/drivers/{copy}");
                // A package does not replace a driver that is not its own.
                let own = copy.eq_ignore_ascii_case(&driver.binary);
                if own || !windows.volume.fs.exists(&format!("{}/{path}", windows.folder)) {
                    write_one(windows, &path, contents, &origin)?;
                }
            }
        }
    }
    Ok(())
}

/// The names that a file of the package gets in `System32\drivers`, where the kernel looks for boot drivers.
fn drivers_among<'d>(driver: &'d VirtioDriver, name: &str) -> Vec<&'d str> {
    let copies = driver.install.files.iter();
    let copies = copies.filter(|copy| copy.folder == Some(DRIVERS_FOLDER) && copy.source.eq_ignore_ascii_case(name));
    let mut names: Vec<&str> = copies.map(|copy| copy.name.as_str()).collect();
    names.retain(|name| !name.is_empty() && !name.contains(['/', '\\']));
    let has_binary = names.iter().any(|name| name.eq_ignore_ascii_case(&driver.binary));
    if name.eq_ignore_ascii_case(&driver.binary) && !has_binary {
        names.push(&driver.binary);
    }
    names
}

/// Plans to write a file, unless it is there with these contents.
fn write_one(windows: &mut Windows<'_>, path: &str, contents: &[u8], origin: &str) -> Result<(), VirtioSkip> {
    /// Larger than any file of a package: such a file is another one.
    const LIMIT: u64 = 64 << 20;
    use disk::guestfs::GuestFsError::{NotFound, TooLarge};
    match windows.volume.fs.read(&format!("{}/{path}", windows.folder), LIMIT) {
        Ok(there) if there == contents => return Ok(()),
        Ok(_) | Err(NotFound(_) | TooLarge { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    windows.write_file(path, contents.to_vec(), origin, WHY);
    Ok(())
}
