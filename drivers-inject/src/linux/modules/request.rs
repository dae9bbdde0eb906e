//! How an initramfs is told to load modules that were added to it.

use super::error::ModuleError;
use crate::linux::initramfs::{Generator, Initramfs, Kind, NewEntry};

/// The files that make the image load these modules. They come on top of the image's `modules.alias`, which lets udev
/// find drivers by the devices that are there; where that is the only means, there are none.
///
/// - initramfs-tools: `/init` loads what `/conf/modules` names, one a line (`load_modules` in scripts/functions).
/// - dracut: `rd.driver.pre=` names drivers that are loaded before udev starts (`dracut.cmdline(7)`); besides the
///   kernel's command line, dracut reads `/etc/cmdline.d/*.conf`, with and without systemd in the image.
/// - mkinitcpio: `/init` reads `/config` as a shell script and loads what its variable `MODULES` names.
/// - Alpine's mkinitfs: `nlplug-findfs` loads drivers by `modules.alias` as devices appear; nothing else is needed.
/// - systemd in the image, whoever made it: systemd-modules-load loads what `/etc/modules-load.d/*.conf` name
///   (`modules-load.d(5)`).
/// - the older mkinitrd of SUSE and Red Hat have the modules' names in the scripts themselves, and no udev or one that
///   is not relied on: they are not changed.
pub(super) fn files(image: &Initramfs, names: &[String]) -> Result<Vec<NewEntry>, ModuleError> {
    let generator = image.generator();
    let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
    let mut files = Vec::new();
    match generator {
        Generator::InitramfsTools => files.push(text("conf/modules", old(image, "conf/modules")? + &lines)),
        Generator::Dracut => {
            let line: Vec<String> = names.iter().map(|name| format!("rd.driver.pre={name}")).collect();
            files.push(text("etc/cmdline.d/p2v.conf", line.join(" ") + "\n"));
        }
        Generator::Mkinitcpio => {
            let line = format!("MODULES=\"${{MODULES}} {}\"\n", names.join(" "));
            files.push(text("config", old(image, "config")? + &line));
        }
        Generator::AlpineMkinitfs => {}
        Generator::SuseMkinitrd | Generator::Nash | Generator::Unknown => {
            if !has_systemd(image) {
                return Err(ModuleError::NoRequest { generator });
            }
        }
    }
    if has_systemd(image) {
        files.push(text("etc/modules-load.d/p2v.conf", lines));
    }
    Ok(files)
}

fn has_systemd(image: &Initramfs) -> bool {
    let program = image.entry("lib/systemd/systemd-modules-load");
    program
        .or_else(|| image.entry("usr/lib/systemd/systemd-modules-load"))
        .is_some()
}

fn text(path: &str, contents: String) -> NewEntry {
    NewEntry {
        path: path.to_owned(),
        mode: 0o644,
        contents: contents.into_bytes(),
    }
}

/// What a file of the image holds, with an end to its last line.
fn old(image: &Initramfs, path: &str) -> Result<String, ModuleError> {
    let Some(entry) = image.entry(path) else {
        return Ok(String::new());
    };
    let contents = entry.contents.clone().filter(|_| entry.kind() == Kind::File);
    let contents = contents.and_then(|contents| String::from_utf8(contents).ok());
    let mut contents = contents.ok_or_else(|| ModuleError::NotKept(path.to_owned()))?;
    if !contents.is_empty() && !contents.ends_with('\n') {
        contents.push('\n');
    }
    Ok(contents)
}
