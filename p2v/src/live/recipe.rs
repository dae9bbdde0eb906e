//! What the live system is made of. Everything here ends up on the stick or decides what does.
//!
//! The system starts with an `inittab` and a boot script of its own (`system/files`): nothing of Debian's start scripts
//! runs, so nothing checks, mounts, assembles or swaps.

/// The Debian release.
pub(super) const SUITE: &str = "bookworm";
/// Its suites, as far as the mirror has them.
pub(super) const SUITES: &[&str] = &["bookworm", "bookworm-updates", "bookworm-security"];
/// Parts of the archive: firmware is in the second.
pub(super) const COMPONENTS: &str = "main non-free-firmware";

/// The start, and what a shell needs; the kernel and its loaders are in [`super::arch`].
pub(super) const SYSTEM: &[&str] = &[
    "busybox",
    "initramfs-tools",
    "kmod",
    "less",
    "live-boot",
    "live-boot-initramfs-tools",
    "login",
    "mount",
    "nano",
    "procps",
    "sysvinit-core",
    "udev",
    "util-linux",
    "zstd",
];
/// What captures need: disks of every kind, networks, keyboards.
pub(super) const TOOLS: &[&str] = &[
    "console-data",
    "cryptsetup-bin",
    "dhcpcd-base",
    "dislocker",
    "dosfstools",
    "e2fsprogs",
    "exfatprogs",
    "fdisk",
    "hdparm",
    "iproute2",
    "kbd",
    "libc6",
    "libgcc-s1",
    "lvm2",
    "mdadm",
    "ntfs-3g",
    "openssh-client",
    "pciutils",
    "smartmontools",
    "usbutils",
    "wireless-regdb",
    "wpasupplicant",
];
/// Firmware of network cards and storage controllers. Not there: what wants a licence to be accepted (`firmware-ipw2x00`) and
/// what is fetched from elsewhere (`firmware-b43-installer`).
pub(super) const FIRMWARE: &[&str] = &[
    "firmware-ath9k-htc",
    "firmware-atheros",
    "firmware-bnx2",
    "firmware-bnx2x",
    "firmware-brcm80211",
    "firmware-iwlwifi",
    "firmware-libertas",
    "firmware-misc-nonfree",
    "firmware-myricom",
    "firmware-netxen",
    "firmware-qlogic",
    "firmware-realtek",
    "firmware-ti-connectivity",
    "firmware-zd1211",
];
/// Files of packages that are left out: nobody reads manuals there, and graphics, sound, Bluetooth and big switches have no
/// use.
pub(super) const LEFT_OUT: &[&str] = &[
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/usr/share/bug/*",
    "/lib/modules/*/kernel/sound/*",
    "/lib/modules/*/kernel/drivers/gpu/*",
    "/lib/modules/*/kernel/drivers/media/*",
    "/lib/modules/*/kernel/drivers/infiniband/*",
    "/lib/modules/*/kernel/drivers/iio/*",
    "/lib/modules/*/kernel/drivers/bluetooth/*",
    "/lib/modules/*/kernel/net/bluetooth/*",
    "/lib/firmware/i915/*",
    "/lib/firmware/intel/ibt-*",
    "/lib/firmware/mrvl/prestera/*",
    "/lib/firmware/nvidia/*",
];
/// But these stay: their licences want it.
pub(super) const KEPT: &str = "/usr/share/doc/*/copyright";

/// Runs in the new system once its packages are installed.
pub(super) const CUSTOMIZE: &str = include_str!("system/customize.sh");
/// Files that it puts into the system: name and contents.
pub(super) const FILES: &[(&str, &str)] = &[
    ("boot", include_str!("system/files/boot")),
    ("console", include_str!("system/files/console")),
    ("find-medium", include_str!("system/files/find-medium")),
    ("halt", include_str!("system/files/halt")),
    ("initramfs-hook", include_str!("system/files/initramfs-hook")),
    ("inittab", include_str!("system/files/inittab")),
    ("motd", include_str!("system/files/motd")),
    ("network", include_str!("system/files/network")),
    ("p2v-mount", include_str!("system/files/p2v-mount")),
    ("p2v-wifi", include_str!("system/files/p2v-wifi")),
    ("read-only.rules", include_str!("system/files/read-only.rules")),
    ("serial", include_str!("system/files/serial")),
    ("serial-console", include_str!("system/files/serial-console")),
    ("shell", include_str!("system/files/shell")),
];

/// The start menu; `@OPTIONS@` are what every entry tells the kernel, `@ARCH@` is for which PCs the stick is.
pub(super) const MENU: &str = include_str!("system/grub.cfg");
/// Kernel options: live-boot may take nothing but the device that `find-medium` found; no swap, no saved session, no
/// RAID put together by the kernel, no crash reports written into the firmware. Graphics drivers are left out, so that
/// the firmware's picture stays. The last console is the one that messages of the start go to.
pub(super) const OPTIONS: &str = "boot=live live-media=/dev/p2v-medium nopersistence noswap noresume noeject \
    raid=noautodetect efi_pstore.pstore_disable=1 nomodeset console=ttyS0,115200 console=tty0";
