//! Plans that write whole files: hives that grow by their logs, drivers from virtio-win.

mod common;
#[path = "common/drivers.rs"]
mod drivers;

use common::hives::{self, LogFormat, NewHive};
use common::windows::*;
use common::{Tree, disk_of};
use disk::ReadAt;
use disk::guestfs::GuestFs;
use disk::layout::DiskLayout;
use disk::usedmap::VolumeKind::Ntfs;
use drivers_inject::adapt::{self, Effect, Kind, Options, Plan, apply};
use std::path::Path;
use std::sync::Arc;

const SOFTWARE: &str = "Windows/System32/config/SOFTWARE";
const VIOSTOR: &str = "Windows/System32/drivers/viostor.sys";

/// The adapted first volume; a second plan has nothing to do.
fn carried_out(disk: &Arc<dyn ReadAt>, layout: &DiskLayout, plan: &Plan, options: Options<'_>) -> Box<dyn GuestFs> {
    let changed = memory(disk);
    apply(plan, &*changed).unwrap();
    let changed: Arc<dyn ReadAt> = changed;
    assert_eq!(edits(&adapt::plan(&changed, layout, options)), [""; 0]);
    let window = disk::io::Window::new(changed, layout.contents[0].start..disk.size()).unwrap();
    disk::guestfs::open(Ntfs, Arc::new(window)).unwrap().unwrap()
}

/// Windows 7 that knows its processor.
fn seven_x64() -> NewHive {
    seven().string(
        r"ControlSet001\Control\Session Manager\Environment",
        "PROCESSOR_ARCHITECTURE",
        "AMD64",
    )
}

fn virtio_win(builds: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for build in builds {
        let folder = format!("viostor/{build}/amd64");
        drivers::package(root.path(), &folder, "viostor", "amd64");
    }
    root
}

fn options(path: &Path) -> Options<'_> {
    Options {
        virtio_win: Some(path),
        ..Options::default()
    }
}

fn plan_with(tree: &Tree, megabytes: u32, virtio: &Path) -> (Arc<dyn ReadAt>, DiskLayout, Plan) {
    let (disk, layout) = disk_of(vec![(Ntfs, tree.ntfs(megabytes, ""))]);
    let plan = adapt::plan(&disk, &layout, options(virtio));
    (disk, layout, plan)
}

#[test]
fn a_hive_that_its_log_makes_larger_is_written_anew() {
    let hive = seven().build();
    let larger = NewHive::new().value("New", "data", 3, &[7; 9000]).build_on(&hive);
    assert!(larger.len() > hive.len());
    let log = hives::log(LogFormat::Entries, 40, &[&hive, &larger]);
    let tree = windows("6.1", &hives::make_dirty(&hive, 40)).file(&format!("{SYSTEM}.LOG1"), log);
    let (disk, layout, plan) = plan_of(&tree);
    assert!(found(&plan).is_empty(), "{:#?}", plan.findings);
    let more = larger.len() - hive.len();
    let words = [
        "the whole hive: not completely written -> complete: 1 entries of its log applied".to_owned(),
        format!(
            "the whole file: {} bytes -> {} bytes, {more} more",
            hive.len(),
            larger.len()
        ),
        MSAHCI.to_owned(),
    ];
    assert_eq!(edits(&plan), words);
    let mut fs = carried_out(&disk, &layout, &plan, Options::default());
    let after = fs.read(SYSTEM, 1 << 24).unwrap();
    let expected = NewHive::new()
        .number(r"ControlSet001\Services\msahci", "Start", 0)
        .build_on(&larger);
    assert_eq!(
        hives::dump_bytes_with_hivex(&after),
        hives::dump_bytes_with_hivex(&expected)
    );
}

#[test]
fn the_software_hive_needs_its_logs_too() {
    let root = virtio_win(&["w7"]);
    let tree = windows("6.1", &seven_x64().build());
    let software = std::fs::read(tree.path().join(SOFTWARE)).unwrap();
    let later = NewHive::new()
        .string("Later", "text", "from the log")
        .build_on(&software);
    let tree = tree.file(SOFTWARE, hives::make_dirty(&software, 7));
    // Without them nothing of virtio is done, and the rest is.
    let (disk, layout, plan) = plan_with(&tree, 12, root.path());
    let finding = only(&plan);
    assert_eq!((finding.kind, finding.effect), (Kind::DriverMissing, Effect::Warning));
    assert!(
        finding.what.contains("no drivers for virtio disks: SOFTWARE:"),
        "{}",
        finding.what
    );
    assert_eq!(edits(&plan), [MSAHCI]);
    let mut fs = carried_out(&disk, &layout, &plan, options(root.path()));
    assert!(!fs.exists(VIOSTOR) && !fs.exists("Windows/Drivers"));

    let log = hives::log(LogFormat::Map, 7, &[&software, &later]);
    let tree = tree.file(&format!("{SOFTWARE}.LOG1"), log);
    let (disk, layout, plan) = plan_with(&tree, 12, root.path());
    assert!(found(&plan).is_empty(), "{:#?}", plan.findings);
    let mut fs = carried_out(&disk, &layout, &plan, options(root.path()));
    let path = r"%SystemRoot%\inf;%SystemRoot%\Drivers\VirtIO";
    let expected = NewHive::new()
        .value(
            r"Microsoft\Windows\CurrentVersion",
            "DevicePath",
            2,
            &hives::utf16(path),
        )
        .build_on(&later);
    let lines = |hive: &[u8]| {
        let text = hives::dump_bytes_with_hivex(hive);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&fs.read(SOFTWARE, 1 << 24).unwrap()), lines(&expected));
    assert!(fs.exists(VIOSTOR));
}

#[test]
fn a_driver_that_is_there_is_set_right() {
    let root = virtio_win(&["2k8R2", "w7"]);
    // A server; the driver was installed once, and turned off.
    let hive = seven_x64()
        .string(r"ControlSet001\Control\ProductOptions", "ProductType", "ServerNT")
        .string(r"ControlSet001\Services\viostor", "ImagePath", r"D:\elsewhere.sys")
        .number(r"ControlSet001\Services\viostor", "Start", 4);
    let tree = windows("6.1", &hive.build()).file(VIOSTOR, "an old one");
    let (disk, layout, plan) = plan_with(&tree, 12, root.path());
    assert!(found(&plan).is_empty(), "{:#?}", plan.findings);
    let edits = edits(&plan);
    for expected in [
        r"ControlSet001\Services\viostor Start: 4 -> 0",
        r"ControlSet001\Services\viostor ImagePath: D:\elsewhere.sys -> system32\drivers\viostor.sys",
        r"ControlSet001\Services\viostor Type: - -> 1",
    ] {
        assert!(edits.iter().any(|edit| edit == expected), "no {expected} in {edits:#?}");
    }
    let replaced = plan.edits.iter().find(|edit| edit.file == VIOSTOR).unwrap();
    assert_eq!(replaced.before.as_deref(), Some("10 bytes"));
    assert!(
        replaced.after.as_deref().unwrap().contains("viostor/2k8R2/amd64"),
        "{replaced:?}"
    );
    let mut fs = carried_out(&disk, &layout, &plan, options(root.path()));
    let driver = drivers::packaged("viostor/2k8R2/amd64", "viostor", "amd64");
    assert_eq!(fs.read(VIOSTOR, 1 << 24).unwrap(), driver);
}

#[test]
fn a_full_volume_is_adapted_without_the_drivers() {
    let root = virtio_win(&["w7"]);
    let folder = "viostor/w7/amd64";
    let large = drivers::fake_driver(drivers::X64, &vec![7; 8 << 20], 0);
    std::fs::write(root.path().join(folder).join("viostor.sys"), large).unwrap();
    let (disk, layout, plan) = plan_with(&windows("6.1", &seven_x64().build()), 12, root.path());
    let finding = only(&plan);
    assert_eq!((finding.kind, finding.effect), (Kind::DriverMissing, Effect::Warning));
    for words in ["no drivers for virtio disks", "bytes free", "viostor.sys needs"] {
        assert!(finding.what.contains(words), "no {words} in {}", finding.what);
    }
    assert_eq!(edits(&plan), [MSAHCI]);
    let mut fs = carried_out(&disk, &layout, &plan, options(root.path()));
    assert!(!fs.exists("Windows/Drivers"));
}

#[test]
fn without_a_windows_the_drivers_are_for_nobody() {
    let (.., plan) = plan_with(&Tree::new().file("photo", "x"), 8, Path::new("/nowhere"));
    assert_eq!((only(&plan).kind, only(&plan).effect), (Kind::NotAdapted, Effect::Note));
}

#[test]
fn what_a_package_says_cannot_lead_elsewhere() {
    let root = virtio_win(&["w7"]);
    let inf = root.path().join("viostor/w7/amd64/viostor.inf");
    let text = std::fs::read_to_string(&inf).unwrap();
    for (from, to, words) in [
        ("viostor.sys,,,2", r"..\evil.sys,viostor.sys", None),
        (
            r"PCI\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00",
            r"PCI\..\..\Select",
            None,
        ),
        (r"PCI\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00", "USB\\VID_1", None),
        ("AddService = viostor", r"AddService = ..\viostor", Some("virtio")),
        ("AddService = viostor", "AddService = atapi", Some("names \"atapi\"")),
        (r"%12%\viostor.sys", r"%12%\disk.sys", Some("disk.sys")),
        ("viostor.sys,,,2", "disk.sys,viostor.sys", None),
        (
            r#""Parameters", "BusType""#,
            r#""..\..\atapi", "Start""#,
            Some("virtio"),
        ),
    ] {
        let changed = text.replace(from, to);
        assert!(changed != text, "{from}");
        std::fs::write(&inf, changed).unwrap();
        let (disk, layout, plan) = plan_with(&windows("6.1", &seven_x64().build()), 12, root.path());
        match words {
            None => assert!(found(&plan).is_empty(), "{to}: {:#?}", plan.findings),
            Some(words) => {
                assert!(only(&plan).what.contains(words), "{to}: {}", only(&plan).what);
                assert_eq!(edits(&plan), [MSAHCI], "{to}");
            }
        }
        let places = edits(&plan);
        assert!(
            !places.iter().any(|place| place.contains("..") || place.contains("USB")),
            "{to}: {places:#?}"
        );
        let mut names = plan.edits.iter().map(|edit| &edit.file);
        assert!(
            !names.any(|name| name.contains("evil") || name.contains("disk.sys")),
            "{to}"
        );
        let mut fs = carried_out(&disk, &layout, &plan, options(root.path()));
        assert_eq!(fs.read("Windows/System32/drivers/disk.sys", 100).unwrap(), b"disk.sys");
    }
}
