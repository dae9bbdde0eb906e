//! The folders of a Linux system, put together from the volumes that it mounts.

use crate::linux::Place;
use crate::volumes::{MountedVolume, VolumeId};

/// Which volume is mounted where.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// Mount points without a slash at either end, longest first, and indexes of volumes. The root's is empty.
    mounts: Vec<(String, usize)>,
}

impl Tree {
    /// The root, and `/usr` where that is another volume.
    pub(super) fn new(place: &Place) -> Self {
        let mut tree = Tree {
            mounts: vec![(String::new(), place.root)],
        };
        if let Some(usr) = place.usr {
            tree.mount("usr", usr);
        }
        tree
    }

    /// The volume of the root.
    pub(super) fn root(&self, volumes: &[MountedVolume]) -> VolumeId {
        let root = self.mounted("").and_then(|number| volumes.get(number));
        root.map_or(VolumeId::Partition(0), |volume| volume.id)
    }

    /// Adds a volume.
    pub(super) fn mount(&mut self, point: &str, volume: usize) {
        let point = point.trim_matches('/').to_owned();
        if !self.mounts.iter().any(|(other, _)| *other == point) {
            self.mounts.push((point, volume));
            self.mounts.sort_by_key(|(point, _)| std::cmp::Reverse(point.len()));
        }
    }

    /// The volumes of the system, each once.
    pub(super) fn volumes(&self) -> Vec<usize> {
        let mut volumes: Vec<usize> = self.mounts.iter().map(|(_, volume)| *volume).collect();
        volumes.sort_unstable();
        volumes.dedup();
        volumes
    }

    /// The volume that is mounted at `point`.
    pub(super) fn mounted(&self, point: &str) -> Option<usize> {
        let point = point.trim_matches('/');
        let found = self.mounts.iter().find(|(other, _)| other == point);
        found.map(|(_, volume)| *volume)
    }

    /// The volume and the path inside it for a path of the system.
    pub(super) fn resolve(&self, path: &str) -> Option<(usize, String)> {
        let path = path.trim_start_matches('/');
        self.mounts.iter().find_map(|(point, volume)| {
            let rest = match point.as_str() {
                "" => path,
                point => {
                    let rest = path.strip_prefix(point)?;
                    rest.strip_prefix('/').or_else(|| rest.is_empty().then_some(""))?
                }
            };
            Some((*volume, rest.to_owned()))
        })
    }

    /// The same, if something is there. `/lib` of a system that keeps it in `/usr` on another volume is found, too.
    pub(super) fn find(&self, volumes: &mut [MountedVolume], path: &str) -> Option<(usize, String)> {
        let merged = format!("usr/{}", path.trim_start_matches('/'));
        [path, &merged].into_iter().find_map(|path| {
            let (volume, inside) = self.resolve(path)?;
            let there = volumes.get_mut(volume)?.fs.exists(&inside);
            there.then_some((volume, inside))
        })
    }

    /// A whole file.
    pub(super) fn read(&self, volumes: &mut [MountedVolume], path: &str, limit: u64) -> Option<Vec<u8>> {
        let (volume, inside) = self.find(volumes, path)?;
        volumes.get_mut(volume)?.fs.read(&inside, limit).ok()
    }

    /// The names in a folder; none if it is not there.
    pub(super) fn list(&self, volumes: &mut [MountedVolume], path: &str) -> Vec<String> {
        let found = self.find(volumes, path);
        let names = found.and_then(|(volume, inside)| volumes.get_mut(volume)?.fs.list(&inside).ok());
        names.unwrap_or_default()
    }

    /// A file as a boot loader names it: from the start of the volume that it was told to use.
    pub(super) fn find_for_loader(&self, volumes: &mut [MountedVolume], path: &str) -> Option<(usize, String)> {
        // `(hd0,1)/vmlinuz`, `($root)/vmlinuz`.
        let path = match path.strip_prefix('(') {
            Some(rest) => rest.split_once(')')?.1,
            None => path,
        };
        let path = path.trim_start_matches('/');
        let mut order: Vec<usize> = self.mounted("boot").into_iter().collect();
        order.extend(self.mounted(""));
        order.extend(self.volumes());
        order.into_iter().find_map(|number| {
            let there = volumes.get_mut(number)?.fs.exists(path);
            there.then(|| (number, path.to_owned()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_point_counts() {
        let mut tree = Tree::new(&Place { root: 4, usr: None });
        tree.mount("/boot/", 1);
        tree.mount("/boot/efi", 2);
        let path = |path: &str| tree.resolve(path).unwrap();
        assert_eq!(path("/boot/efi/EFI"), (2, "EFI".to_owned()));
        assert_eq!(path("boot/grub/grub.cfg"), (1, "grub/grub.cfg".to_owned()));
        assert_eq!(path("/boots/x"), (4, "boots/x".to_owned()));
        assert_eq!(path("/boot"), (1, String::new()));
        assert_eq!(tree.volumes(), [1, 2, 4]);
    }
}
