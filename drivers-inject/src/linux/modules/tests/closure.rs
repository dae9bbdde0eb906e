//! What is loaded for a module, and the files that say so.

use super::*;

#[test]
fn modprobe_loads_the_same_in_the_same_order() {
    for suffix in ["", ".xz", ".zst", ".gz"] {
        let files = root(suffix);
        let folder = tempfile::tempdir().unwrap();
        write_files(&files, folder.path());
        let tree = tree(&files);
        for name in [
            "ata_piix",
            "ahci",
            "sd_mod",
            "nvme",
            "virtio_blk",
            "crct10dif-fast",
            "scsi_common",
        ] {
            let expected = modprobe(folder.path(), name);
            assert!(!expected.is_empty());
            assert_eq!(tree.closure(&[name]).unwrap(), expected, "{name}");
        }
        assert!(tree.closure(&["virtio_pci"]).unwrap().is_empty(), "it is in the kernel");
        assert_eq!(tree.find("virtio-pci"), Found::Builtin);
        assert_eq!(tree.find("piix"), Found::Absent);
        let path = format!("lib/modules/{VERSION}/kernel/drivers/nvme/nvme-core.ko{suffix}");
        assert_eq!(tree.find("nvme_core"), Found::File(path));
        assert!(matches!(tree.closure(&["piix"]), Err(ModuleError::Absent { .. })));
    }
}

#[test]
fn a_module_that_several_need_is_loaded_once() {
    let paths = tree(&root("")).closure(&["ata_piix", "ahci", "sd_mod"]).unwrap();
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
    assert!(paths[0].ends_with("scsi_common.ko"));
    assert_eq!(paths.len(), 10, "{paths:?}");
}

#[test]
fn circles_end() {
    let mut files = root("");
    let folder = format!("lib/modules/{VERSION}");
    files.insert(
        format!("{folder}/modules.dep"),
        b"a.ko: b.ko\nb.ko: a.ko\nc.ko: c.ko gone.ko\n".to_vec(),
    );
    files.insert(
        format!("{folder}/modules.softdep"),
        b"softdep a pre: b post: a c\nsoftdep c pre: a\n".to_vec(),
    );
    let tree = tree(&files);
    let names = |name| {
        let paths = tree.closure(&[name]).unwrap();
        paths
            .iter()
            .map(|path| path.rsplit('/').next().unwrap().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let all: BTreeSet<String> = ["a.ko", "b.ko", "c.ko", "gone.ko"].map(str::to_owned).into();
    for name in ["a", "b", "c"] {
        assert_eq!(names(name), all, "{name}");
    }
}

#[test]
fn long_chains_of_soft_dependencies_end() {
    let mut files = root("");
    let folder = format!("lib/modules/{VERSION}");
    let dep: String = (0..100_000).map(|at| format!("m{at}.ko:\n")).collect();
    let soft: String = (0..100_000)
        .map(|at| format!("softdep m{at} pre: m{}\n", at + 1))
        .collect();
    files.insert(format!("{folder}/modules.dep"), dep.into_bytes());
    files.insert(format!("{folder}/modules.softdep"), soft.into_bytes());
    assert!(tree(&files).closure(&["m0"]).unwrap().len() < 100);
}

#[test]
fn old_lists_have_absolute_paths_and_new_systems_only_usr() {
    let text =
        "/lib/modules/2.6.18-8/kernel/a-b.ko: /lib/modules/2.6.18-8/kernel/c.ko\n/lib/modules/2.6.18-8/kernel/c.ko:\n";
    let read = |path: &str| (path == "usr/lib/modules/2.6.18-8/modules.dep").then(|| text.as_bytes().to_vec());
    let mut tree = ModuleTree::load(read, "2.6.18-8").unwrap();
    let below = |path: &str| format!("usr/lib/modules/2.6.18-8/kernel/{path}");
    assert_eq!(tree.closure(&["a_b"]).unwrap(), [below("c.ko"), below("a-b.ko")]);
    assert_eq!(tree.find("piix"), Found::Absent);
    tree.add_builtin(builtin_of_config(
        "CONFIG_BLK_DEV_PIIX=y\nCONFIG_ATA_PIIX=m\n# CONFIG_IDE_GD is not set\n",
    ));
    assert_eq!(tree.find("piix"), Found::Builtin);
    assert_eq!(tree.find("ata_piix"), Found::Absent);
    assert!(matches!(ModuleTree::load(read, "5.4"), Err(ModuleError::NoVersion(_))));
}
