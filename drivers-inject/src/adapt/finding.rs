//! Findings: what stands in the way of a system's start on other hardware, or should be known before it is changed.

use serde::Serialize;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A saved session: hibernation or Fast Startup.
    Hibernated,
    /// The filesystem was not closed.
    UncleanVolume,
    /// The registry was not completely written and its logs do not help.
    DirtyRegistry,
    /// The registry, or the place of its file, does not allow a change.
    Registry,
    /// BitLocker.
    BitLocker,
    /// LUKS.
    Luks,
    /// A filter driver that encrypts the disk.
    EncryptionFilter,
    /// The boot loader of a program that encrypts the whole disk.
    EncryptionLoader,
    /// A filter driver that nothing is known of.
    UnknownFilter,
    /// A Windows dynamic disk.
    DynamicDisk,
    /// Storage Spaces.
    StorageSpaces,
    /// Sectors of 4096 bytes.
    LargeSectors,
    /// The partition table makes it doubtful what the partitions hold.
    DoubtfulTable,
    /// A driver that the new hardware needs is not there.
    DriverMissing,
    /// Windows' driver database does not know the new hardware.
    UnknownToDriverDatabase,
    /// boot.ini names a disk that will not be there.
    BootIni,
    /// Several systems on one disk.
    SeveralSystems,
    /// A system that this version does not adapt, or a volume that may hold one.
    NotAdapted,
    /// A change that was found to be impossible: no room, a filesystem that must not be changed.
    CannotBeChanged,
    /// The disk cannot be read where that is needed.
    Unreadable,
    /// A filesystem's journal holds changes that were not carried out yet.
    Journal,
    /// A disk or a partition that is a member of a RAID array.
    Raid,
    /// A physical volume of LVM.
    Lvm,
    /// A boot entry whose start files lack the drivers of the machine's disk.
    StartFiles,
    /// A configuration names a device in a way that will not be true any more, or that of another computer.
    DeviceName,
    /// The boot loader cannot be changed offline.
    BootLoader,
    /// Something that the old computer's hardware had and the new one has not.
    OldHardware,
    /// What a Windows notices of a new computer: activation, clock, identity.
    NewComputer,
}

/// What follows from a finding, unless an option says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Good to know.
    Note,
    /// The system may not start, or loses something.
    Warning,
    /// This system is left as it is: it cannot be changed. Others on the disk are adapted.
    Skip,
    /// Nothing is changed on this disk: a change could do harm.
    Refusal,
}

/// One finding, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// What follows.
    pub effect: Effect,
    /// The system it is about; `None` if it is about the disk or a volume.
    pub system: Option<String>,
    /// Partition number; 0 for the whole disk.
    pub partition: u32,
    /// What was found and what it means: a sentence.
    pub what: String,
    /// What p2v does by default: a sentence.
    pub default: String,
    /// The option that chooses otherwise, and what it does.
    pub option: Option<&'static str>,
}

impl Finding {
    /// A finding about the disk or one of its partitions.
    pub(super) fn on_disk(
        kind: Kind,
        effect: Effect,
        partition: u32,
        what: impl Into<String>,
        default: impl Into<String>,
    ) -> Self {
        Finding {
            kind,
            effect,
            system: None,
            partition,
            what: what.into(),
            default: default.into(),
            option: None,
        }
    }
}
