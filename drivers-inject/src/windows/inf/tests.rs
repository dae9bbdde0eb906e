//! INF files in the shape of those of virtio-win.

use super::service::Setting;
use super::*;
use proptest::prelude::*;

/// A package for one Windows, as today's builds are.
pub(crate) const STORAGE: &str = r#"; A storage driver
[Version]
Signature="$WINDOWS NT$"
Class=SCSIAdapter
ClassGUID={4D36E97B-E325-11CE-BFC1-08002BE10318}
Provider=%Maker%
DriverVer = 01/02/2024,100.95.104.26200
CatalogFile = teststor.cat
PnpLockdown = 1

[DestinationDirs]
DefaultDestDir = 12
Folder_Of_Package = 13

[SourceDisksNames]
1 = %Disk%,,,""

[Manufacturer]
%Maker% = Devices,NTamd64,NTamd64.6.1,NTx86.6.1,NTamd64.10.0

[Devices]
%Old.Name% = install_old, PCI\VEN_1AF4&DEV_1001

[Devices.NTamd64]
%Old.Name% = install_old, PCI\VEN_1AF4&DEV_1001

[Devices.NTx86.6.1]
%Block.Name% = install, PCI\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00, PCI\VEN_1AF4&DEV_1001

[Devices.NTamd64.6.1]
%Block.Name% = install, PCI\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00, PCI\VEN_1AF4&DEV_1001
%Block.Name% = install, PCI\VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01

[Devices.NTamd64.10.0]
%New.Name% = install, PCI\VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01

[install]
CopyFiles = @teststor.sys, More_Files
[install.NTamd64]
CopyFiles = Folder_Of_Package

[More_Files]
renamed.dll, original.dll,,0x20
plain.dll

[Folder_Of_Package]
teststor.sys

[install.Services]
AddService = teststor, %ASSOCIATED%, service, events
[install.NTamd64.Services]
AddService = teststor, 0x2, service
AddService = helper, , helper_service

[service]
DisplayName = %Block.Name%
ServiceType = %KERNEL_DRIVER%
StartType = 0
ErrorControl = 1
LoadOrderGroup = SCSI miniport
ServiceBinary = %12%\teststor.sys
AddReg = values, more_values

[helper_service]
ServiceType = 0x10
StartType = 2
ErrorControl = 0
ServiceBinary = "%11%\helper program.exe"

[values]
HKR, "Parameters\PnpInterface", "5", %REG_DWORD%, 0x00000001
HKR, "Parameters", "BusType", %REG_DWORD%, 0x0000000A
HKR, Parameters, DmaRemappingCompatible, 0x00010001, 0
[more_values]
HKR,,Plain,,words, more
HKR,,Path,0x00020000,%%SystemRoot%%\x
HKR,Parameters,List,0x00010000,one,"two words"
HKR,Parameters,Bytes,1,00,ff,0A
HKR,Parameters,FourBytes,0x00010001,01,02,00,00
HKR,Parameters,,0x00000010
HKLM,Software\Other,x,,y

[Strings]
Maker = "The Maker"
Disk = "The Disk"
Block.Name = "Test block device"
New.Name = "New block device"
Old.Name = "Old block device"
KERNEL_DRIVER = 1
ASSOCIATED = 0x00000002
REG_DWORD = 0x00010001
"#;

fn target(architecture: &'static str, version: (u32, u32), build: u32) -> Target {
    Target {
        architecture,
        version,
        build,
        server: false,
    }
}

fn inf() -> Inf {
    let utf16: Vec<u8> = [0xFEFF]
        .into_iter()
        .chain(STORAGE.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    Inf::parse(&utf16).unwrap()
}

#[test]
fn what_it_is() {
    let inf = inf();
    assert_eq!(inf.version_entry("provider").as_deref(), Some("The Maker"));
    assert_eq!(
        inf.version_entry("CLASSGUID").as_deref(),
        Some("{4D36E97B-E325-11CE-BFC1-08002BE10318}")
    );
    assert_eq!(inf.driver_version().as_deref(), Some("100.95.104.26200"));
    assert_eq!(
        inf.catalog(&target("x86", (6, 1), 7601)).as_deref(),
        Some("teststor.cat")
    );
    assert_eq!(
        Inf::parse(b"[Version]\nSignature=x").unwrap_err().to_string(),
        "the INF file has no signature: it is something else, or damaged"
    );
}

#[test]
fn models_are_those_of_the_system() {
    let names = |target| -> Vec<(String, usize)> {
        let models = inf().models(&target);
        models
            .into_iter()
            .map(|model| (model.description, model.hardware_ids.len()))
            .collect()
    };
    let one = |name: &str, ids| (name.to_owned(), ids);
    assert_eq!(names(target("x86_64", (10, 0), 19_045)), [one("New block device", 1)]);
    assert_eq!(
        names(target("x86_64", (6, 3), 9600)),
        [one("Test block device", 2), one("Test block device", 1)]
    );
    assert_eq!(names(target("x86_64", (6, 0), 6002)), [one("Old block device", 1)]);
    assert_eq!(names(target("x86", (6, 1), 7601)), [one("Test block device", 2)]);
    assert_eq!(names(target("x86", (5, 1), 2600)), [one("Old block device", 1)]);
    assert_eq!(names(target("aarch64", (10, 0), 22_631)), []);
}

#[test]
fn files_and_services_are_those_of_the_platform() {
    let install = inf().install("INSTALL", &target("x86", (6, 1), 7601)).unwrap();
    let file = |name: &str, source: &str, folder| CopyFile {
        name: name.to_owned(),
        source: source.to_owned(),
        folder: Some(folder),
    };
    assert_eq!(
        install.files,
        [
            file("teststor.sys", "teststor.sys", 12),
            file("renamed.dll", "original.dll", 12),
            file("plain.dll", "plain.dll", 12)
        ]
    );
    let [service] = &install.services[..] else {
        panic!("{:?}", install.services)
    };
    assert_eq!((&service.name[..], service.drives_the_device), ("teststor", true));
    assert_eq!((service.kind, service.start, service.error_control), (1, 0, 1));
    assert_eq!(
        (service.folder, &service.binary[..]),
        (Some(DRIVERS_FOLDER), "teststor.sys")
    );
    assert_eq!(service.group.as_deref(), Some("SCSI miniport"));
    assert_eq!(service.display_name.as_deref(), Some("Test block device"));
    let setting = |key: &str, name: &str, data| Setting {
        key: key.to_owned(),
        name: name.to_owned(),
        data,
    };
    assert_eq!(
        service.settings,
        [
            setting(r"Parameters\PnpInterface", "5", Data::Number(1)),
            setting("Parameters", "BusType", Data::Number(10)),
            setting("Parameters", "DmaRemappingCompatible", Data::Number(0)),
            setting("", "Plain", Data::String("words".to_owned())),
            setting("", "Path", Data::ExpandString(r"%SystemRoot%\x".to_owned())),
            setting(
                "Parameters",
                "List",
                Data::Strings(vec!["one".to_owned(), "two words".to_owned()])
            ),
            setting("Parameters", "Bytes", Data::Binary(vec![0, 255, 10])),
            setting("Parameters", "FourBytes", Data::Number(513)),
        ]
    );
    let install = inf().install("install", &target("x86_64", (10, 0), 19_045)).unwrap();
    assert_eq!(install.section, "install.NTamd64");
    assert_eq!(install.files, [file("teststor.sys", "teststor.sys", 13)]);
    assert_eq!(install.services.len(), 2);
    assert_eq!(
        (install.services[1].folder, &install.services[1].binary[..]),
        (Some(11), "helper program.exe")
    );
}

#[test]
fn what_is_missing_is_told() {
    let without = |what: &str| {
        let text = STORAGE.replace(what, "");
        let inf = Inf::parse(text.as_bytes()).unwrap();
        inf.install("install", &target("x86", (6, 1), 7601))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        without("ServiceBinary = %12%\\teststor.sys"),
        "the INF file does not tell the ServiceBinary of the service teststor"
    );
    assert_eq!(
        without("StartType = 0"),
        "the INF file does not tell the StartType of the service teststor"
    );
    assert_eq!(
        without("[More_Files]"),
        "the INF file has no section [More_Files], which lists files"
    );
    assert_eq!(without("[values]"), "the INF file has no section [values]");
    let error = inf().install("none", &target("x86", (6, 1), 7601)).unwrap_err();
    assert_eq!(error.to_string(), "the INF file has no section [none] for this system");
}

proptest! {
    #[test]
    fn any_text_has_an_answer(lines in prop::collection::vec(r#"[\[\]=,;"%\\a-zA-Z0-9. ]{0,40}"#, 0..30), cut in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Inf::parse(&bytes);
        // Junk in the middle of what is right.
        let at = cut.index(STORAGE.len());
        let (before, after) = STORAGE.split_at(at);
        let text = format!("{before}\n{}\n{after}", lines.join("\n"));
        if let Ok(inf) = Inf::parse(text.as_bytes()) {
            let target = target("x86_64", (10, 0), 19_045);
            for model in inf.models(&target) {
                let _ = inf.install(&model.install, &target);
            }
        }
    }
}
