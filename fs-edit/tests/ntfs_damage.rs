//! Damaged NTFS volumes: libntfs-3g works in our process, so whatever the bytes are, it must come to an end and say no.

#[path = "ntfs_judges/mod.rs"]
mod judges;
#[path = "../../disk/tests/volumes/mod.rs"]
mod volumes;

use judges::*;
use proptest::prelude::*;
use std::ops::Range;
use std::sync::LazyLock;
use volumes::Tree;

/// A volume with small and large folders and files of every kind, and where its structures lie.
static VOLUME: LazyLock<(Vec<u8>, Vec<Range<usize>>)> = LazyLock::new(|| {
    let mut tree = Tree::new()
        .file("packed/file", "compress me ".repeat(30_000))
        .file("Windows/System32/config/SYSTEM", vec![7; 300_000])
        .file("Windows/small.txt", "resident");
    for number in 0..300 {
        tree = tree.file(
            &format!("Windows/System32/drivers/file with a number {number}.sys"),
            "x".repeat(number * 10),
        );
    }
    let prepare = "mkdir packed\n".to_owned()
        + &set("packed", "ntfs_attrib_be", "00000800")
        + "/usr/bin/python3 - <<'END'
one, two = open('one', 'wb', 0), open('two', 'wb', 0)
for number in range(1200):
    one.write(b'1' * 4096)
    two.write(b'2' * 4096)
END
";
    let volume = tree.ntfs(32, &prepare);
    let file = Disk::new(&volume).volume();
    let mut places = vec![0..512, 0..512];
    let table = clusters(file.path(), "$MFT");
    // Most of the time in the records of the system files and of the first folders.
    let start = table[0].start;
    places.extend([
        start..start + 16 * 1024,
        start + 24 * 1024..start + 48 * 1024,
        start + 64 * 1024..start + 80 * 1024,
    ]);
    places.extend(table);
    for path in [
        "$LogFile",
        "$Bitmap",
        "$Secure",
        "$UpCase",
        "$AttrDef",
        ".",
        "Windows/System32/drivers",
        "one",
        "packed/file",
    ] {
        places.extend(clusters(file.path(), path).into_iter().take(3));
    }
    (volume, places)
});

/// Everything that an editor can do; what it says is not looked at.
fn try_everything(disk: &Disk) -> bool {
    let Ok(mut editor) = disk.open() else { return false };
    for path in [
        "Windows/System32/config/SYSTEM",
        "Windows/small.txt",
        "packed/file",
        "one",
        "Windows/System32/drivers/file with a number 7.sys",
    ] {
        let _ = editor.read(path, 16 << 20);
    }
    let _ = editor.write("Windows/small.txt", &[1; 9000]);
    let _ = editor.write("Windows/System32/drivers/new.sys", &[2; 20_000]);
    let _ = editor.append("one", &[3; 10_000]);
    let _ = editor.write("packed/file", &b"other".repeat(20_000));
    let _ = editor.create_folder("Windows/new/folder");
    let _ = editor.rename("Windows/System32/drivers/file with a number 50.sys", "renamed.sys");
    let _ = editor.remove("Windows/System32/drivers/file with a number 299.sys");
    let _ = editor.remove("two");
    let _ = editor.write("Windows/System32/config/SYSTEM", &[4; 10]);
    let _ = editor.finish();
    true
}

#[test]
fn the_undamaged_volume_can_be_changed() {
    let disk = Disk::new(&VOLUME.0);
    assert!(try_everything(&disk));
    disk.sound();
}

/// 300 cases; more with `PROPTEST_CASES`.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 300;
    }
    config.max_shrink_iters = 0;
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn damaged_volumes_give_errors_only(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let (mut volume, places) = VOLUME.clone();
        for (place, at, value) in flips {
            let place = place.get(&places).clone();
            let at = place.start + at.index(place.len());
            volume[at] = value;
        }
        try_everything(&Disk::new(&volume));
    }
}
