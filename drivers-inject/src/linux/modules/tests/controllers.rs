//! Which disk a set of drivers finds.

use super::*;

fn ways(version: &str, modules: &[&str]) -> Vec<(Controller, &'static str)> {
    let ways: Vec<&Way> = ways_of(version, |name| modules.contains(&name));
    ways.iter().map(|way| (way.controller, way.disk)).collect()
}

#[test]
fn a_controller_counts_only_with_the_driver_of_its_disk() {
    use Controller::{Ahci, Ide, Nvme, VirtioBlk};
    assert_eq!(ways("6.1", &["ata_piix", "ahci"]), []);
    assert_eq!(
        ways("6.1", &["ata_piix", "ahci", "sd_mod"]),
        [(Ide, "sda"), (Ahci, "sda")]
    );
    assert_eq!(ways("6.1", &["virtio_blk", "nvme"]), [(Nvme, "nvme0n1")]);
    assert_eq!(ways("6.1", &["virtio_blk", "virtio_pci"]), [(VirtioBlk, "vda")]);
    assert_eq!(ways("6.1", &["ata_generic", "ide_generic", "sd_mod", "ide_gd_mod"]), []);
}

#[test]
fn the_disk_name_goes_by_the_version_and_the_drivers() {
    use Controller::Ide;
    let both = ["ata_piix", "sd_mod", "piix", "ide_disk"];
    assert_eq!(ways("2.6.18-8.el5", &both), [(Ide, "hda")]);
    assert_eq!(ways("2.6.26-2-686", &both), [(Ide, "sda"), (Ide, "hda")]);
    assert_eq!(ways("2.6.32-5-686", &["piix", "ide_gd_mod"]), [(Ide, "hda")]);
}

#[test]
fn what_is_in_the_kernel_counts() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let found = controllers_of("5.10.0", &set(&["sd_mod", "virtio_blk"]), &set(&["ahci", "virtio_pci"]));
    assert_eq!(found, BTreeSet::from([Controller::Ahci, Controller::VirtioBlk]));
}
