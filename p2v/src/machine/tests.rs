use super::*;

pub(super) fn sample() -> Machine {
    Machine {
        name: "old \"PC\" # 1".to_owned(),
        created: "2026-11-22T15:04:05Z".to_owned(),
        p2v: "0.1.0".to_owned(),
        firmware: Firmware::Bios,
        cpus: 1,
        memory: 512,
        rtc: Rtc::Localtime,
        keyboard: "de".to_owned(),
        graphics: Graphics::Cirrus,
        identity: Identity::Hidden,
        source: Origin {
            path: "/dev/sda".to_owned(),
            model: Some("ST3120026A".to_owned()),
            serial: None,
            wwn: None,
            size: 120 << 30,
            sectors: (120 << 30) / 512,
            live: true,
        },
        disks: vec![Disk {
            file: DISK.to_owned(),
            size: 120 << 30,
            logical_sector: 512,
            physical_sector: 512,
            model: "ST3120026A".to_owned(),
            serial: "[x] = 5".to_owned(),
            controller: Controller::Ide,
            table: "mbr".to_owned(),
            table_id: Some("1234abcd".to_owned()),
            geometry: Some(Geometry {
                cylinders: 1024,
                heads: 255,
                sectors: 63,
            }),
        }],
        nics: vec![Nic {
            mac: "52:54:00:12:34:56".to_owned(),
        }],
        systems: vec![FoundSystem {
            name: "Windows XP".to_owned(),
            family: "windows".to_owned(),
            version: Some("5.1.2600".to_owned()),
            architecture: None,
            hostname: None,
            partition: 1,
        }],
    }
}

#[test]
fn machine_toml_reads_back_as_it_was_written() {
    let machine = sample();
    let text = machine.to_text().unwrap();
    assert_eq!(toml::from_str::<Machine>(&text).unwrap(), machine, "{text}");
}

#[test]
fn every_comment_finds_its_place() {
    let text = sample().to_text().unwrap();
    assert_eq!(
        text.lines().filter(|line| line.starts_with('#')).count(),
        1 + template::COMMENTS.len(),
        "{text}"
    );
}

#[test]
fn a_folder_without_machine_toml_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let failure = Machine::load(folder.path()).unwrap_err();
    assert_eq!(failure.exit, crate::error::Exit::Refused);
    std::fs::write(folder.path().join(MACHINE), "name = 5").unwrap();
    assert_eq!(
        Machine::load(folder.path()).unwrap_err().exit,
        crate::error::Exit::Failed
    );
}
