//! Sources in the layouts of virtio-win, with INF files and drivers of our own.

use super::*;
use crate::iso9660::tests::image;
use crate::made_drivers::{fake_driver, inf, package, packaged, set_checksum};
use std::fs;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Files(tempfile::tempdir().unwrap())
    }

    /// Puts the driver `name` in a folder; its file says for which folder it is.
    fn driver(&self, folder: &str, name: &str, platform: &str) -> &Self {
        package(self.0.path(), folder, name, platform);
        self
    }

    fn file(&self, path: &str, data: &[u8]) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, data).unwrap();
        self
    }

    fn find(&self, target: &Target) -> Result<VirtioDriver, VirtioError> {
        find(&mut *open(self.0.path()).unwrap(), "viostor", target)
    }

    fn origin(&self, target: &Target) -> String {
        self.find(target).unwrap().origin
    }
}

fn target(architecture: &'static str, version: (u32, u32), build: u32, server: bool) -> Target {
    Target {
        architecture,
        version,
        build,
        server,
    }
}

#[test]
fn each_windows_gets_its_build() {
    let files = Files::new();
    for system in [
        "2k3", "2k8", "w7", "2k8R2", "w8", "2k12", "w8.1", "2k12R2", "w10", "2k16", "2k19", "2k22", "2k25", "w11",
    ] {
        files.driver(&format!("viostor/{system}/amd64"), "viostor", "amd64");
    }
    for system in ["xp", "2k3", "2k8", "w7", "w8", "w8.1", "w10"] {
        files.driver(&format!("viostor/{system}/x86"), "viostor", "x86");
    }
    for (version, build, server, expected) in [
        ((5, 2), 3790, false, "2k3"),
        ((5, 2), 3790, true, "2k3"),
        ((6, 0), 6002, false, "2k8"),
        ((6, 1), 7601, false, "w7"),
        ((6, 1), 7601, true, "2k8R2"),
        ((6, 2), 9200, false, "w8"),
        ((6, 3), 9600, true, "2k12R2"),
        ((10, 0), 10_240, false, "w10"),
        ((10, 0), 19_045, false, "w10"),
        ((10, 0), 22_631, false, "w11"),
        ((10, 0), 14_393, true, "2k16"),
        ((10, 0), 17_763, true, "2k19"),
        ((10, 0), 20_348, true, "2k22"),
        ((10, 0), 26_100, true, "2k25"),
    ] {
        let found = files.origin(&target("x86_64", version, build, server));
        assert_eq!(
            found,
            format!("viostor/{expected}/amd64"),
            "{version:?} {build} {server}"
        );
    }
    for (version, server, expected) in [
        ((5, 1), false, "xp"),
        ((5, 2), true, "2k3"),
        ((6, 0), false, "2k8"),
        ((6, 1), true, "w7"),
        ((6, 2), true, "w8"),
    ] {
        let found = files.origin(&target("x86", version, 2600, server));
        assert_eq!(found, format!("viostor/{expected}/x86"), "{version:?}");
    }
    assert!(files.find(&target("x86", (5, 0), 2195, false)).is_err());
    assert!(files.find(&target("aarch64", (10, 0), 22_631, false)).is_err());
}

#[test]
fn an_older_build_does_and_a_newer_one_never() {
    let files = Files::new();
    files.driver("viostor/xp/x86", "viostor", "x86");
    files.driver("viostor/2k8R2/amd64", "viostor", "amd64");
    files.driver("viostor/w10/amd64", "viostor", "amd64");
    files.driver("viostor/2k25/amd64", "viostor", "amd64");
    assert_eq!(files.origin(&target("x86", (5, 2), 3790, true)), "viostor/xp/x86");
    assert_eq!(
        files.origin(&target("x86_64", (6, 1), 7601, false)),
        "viostor/2k8R2/amd64"
    );
    assert_eq!(
        files.origin(&target("x86_64", (6, 3), 9600, false)),
        "viostor/2k8R2/amd64"
    );
    assert_eq!(
        files.origin(&target("x86_64", (10, 0), 20_348, true)),
        "viostor/w10/amd64"
    );
    assert_eq!(
        files.origin(&target("x86_64", (10, 0), 22_631, false)),
        "viostor/w10/amd64"
    );
    let error = files.find(&target("x86_64", (6, 0), 6002, false)).unwrap_err();
    assert_eq!(error.to_string(), "no viostor driver for this Windows was found");
    // Drivers of before Vista are not for Vista.
    assert!(files.find(&target("x86", (6, 0), 6002, false)).is_err());
}

#[test]
fn every_layout_and_the_disc_are_known() {
    let seven = target("x86_64", (6, 1), 7601, false);
    for folder in [
        "viostor/w7/amd64",
        "amd64/w7",
        "WIN7/AMD64",
        "drivers/amd64/Win7",
        "drivers/by-os/amd64/w7",
        "by-driver/viostor/w7/amd64",
    ] {
        let files = Files::new();
        files.driver(folder, "viostor", "amd64");
        let found = files.origin(&seven);
        assert_eq!(found.to_lowercase(), folder.to_lowercase());
        for options in [&["-J"][..], &["-R"]] {
            let disc = tempfile::NamedTempFile::new().unwrap();
            fs::write(disc.path(), image(files.0.path(), options)).unwrap();
            let mut source = open(disc.path()).unwrap();
            let driver = find(&mut *source, "viostor", &seven).unwrap();
            assert_eq!(driver.origin, found);
            assert_eq!(driver.files, files.find(&seven).unwrap().files);
        }
    }
    let error = open(Path::new("none.iso")).err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with("the virtio drivers in none.iso cannot be read"),
        "{error}"
    );
    let text = tempfile::NamedTempFile::new().unwrap();
    assert!(
        open(text.path())
            .err()
            .unwrap()
            .to_string()
            .contains("no such filesystem")
    );
}

#[test]
fn a_driver_comes_with_everything() {
    let files = Files::new();
    files.driver("viostor/w7/amd64", "viostor", "amd64");
    let driver = files.find(&target("x86_64", (6, 1), 7601, false)).unwrap();
    let names: Vec<&str> = driver.files.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(names, ["viostor.inf", "viostor.sys", "viostor.cat"]);
    assert_eq!(driver.files[1].1, packaged("viostor/w7/amd64", "viostor", "amd64"));
    assert_eq!((&driver.name[..], &driver.binary[..]), ("viostor", "viostor.sys"));
    assert_eq!((&driver.service.name[..], driver.service.start), ("viostor", 0));
    assert_eq!(driver.install.files.len(), 1);
    assert_eq!(driver.inf.version_entry("Class").as_deref(), Some("SCSIAdapter"));
    assert_eq!(
        driver.hardware_ids,
        [
            r"PCI\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00",
            r"PCI\VEN_1AF4&DEV_1001",
            r"PCI\VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01",
            r"PCI\VEN_1AF4&DEV_1042",
        ]
    );
}

#[test]
fn packages_that_cannot_be_used_are_told() {
    let seven = target("x86_64", (6, 1), 7601, false);
    let reason = |change: fn(&Files)| {
        let files = Files::new();
        files.driver("viostor/w7/amd64", "viostor", "amd64");
        change(&files);
        files.find(&seven).unwrap_err().to_string()
    };
    let wrong = reason(|files| {
        files.file("viostor/w7/amd64/viostor.sys", &fake_driver(0x14c, b"", 0));
    });
    assert!(
        wrong.contains("(viostor/w7/amd64: viostor.sys: it is for x86, not x86_64)"),
        "{wrong}"
    );
    let newer = reason(|files| {
        files.file(
            "viostor/w7/amd64/viostor.inf",
            inf("viostor", "amd64", ".10.0").as_bytes(),
        );
    });
    assert!(newer.contains("not for this Windows"), "{newer}");
    let unsigned = reason(|files| fs::remove_file(files.0.path().join("viostor/w7/amd64/viostor.cat")).unwrap());
    assert!(unsigned.contains("no file viostor/w7/amd64/viostor.cat"), "{unsigned}");
    let outside = reason(|files| {
        let text = inf("viostor", "amd64", "").replace("viostor.sys,,,2", r"viostor.sys,..\..\secret");
        files.file("viostor/w7/amd64/viostor.inf", text.as_bytes());
    });
    assert!(outside.contains(r#"names a file "..\..\secret""#), "{outside}");
    let junk = reason(|files| {
        files.file("viostor/w7/amd64/viostor.inf", b"junk");
    });
    assert!(junk.contains("no signature"), "{junk}");
}

#[test]
fn a_folder_with_just_the_driver_will_do() {
    let files = Files::new();
    files.driver(".", "viostor", "amd64");
    assert_eq!(files.origin(&target("x86_64", (6, 1), 7601, false)), "");
    // Unless the file says that it is for a newer Windows.
    let mut driver = fs::read(files.0.path().join("viostor.sys")).unwrap();
    driver[0x80 + 24 + 48] = 10;
    set_checksum(&mut driver);
    files.file("viostor.sys", &driver);
    assert_eq!(files.origin(&target("x86_64", (10, 0), 19_045, false)), "");
    let error = files.find(&target("x86_64", (6, 1), 7601, false)).unwrap_err();
    assert!(error.to_string().contains("newer Windows"), "{error}");
}
