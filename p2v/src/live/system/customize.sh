# Runs in the new system as root, once its packages are installed. /p2v-build has what p2v brings, and takes what
# becomes the medium: /p2v-build/out.
set -eu
cd /p2v-build

# The moment that all times in the image are set to: that of the newest file of any package.
sed -n 's|^[0-9a-f]*  |/|p' /var/lib/dpkg/info/*.md5sums | tr '\n' '\0' |
	xargs -0 stat --format=%Y 2>/dev/null | sort -n | tail -n 1 >out/epoch
SOURCE_DATE_EPOCH=${P2V_EPOCH:-$(cat out/epoch)}
export SOURCE_DATE_EPOCH
echo "$SOURCE_DATE_EPOCH" >out/epoch

# The program, and the proof that it runs with this Debian's libraries.
install -m 755 p2v /usr/bin/p2v
p2v --version >out/version || {
	echo "p2v-live: this p2v does not run on Debian 12 ($(dpkg --print-architecture)); the message above says why" >&2
	exit 1
}

put() { install -D -m "$1" "files/$2" "$3"; }
put 755 boot /usr/lib/p2v/boot
put 755 halt /usr/lib/p2v/halt
put 755 console /usr/lib/p2v/console
put 755 shell /usr/lib/p2v/shell
put 755 network /usr/lib/p2v/network
put 755 serial /usr/lib/p2v/serial
put 755 serial-console /usr/lib/p2v/serial-console
put 755 p2v-mount /usr/sbin/p2v-mount
put 755 p2v-wifi /usr/sbin/p2v-wifi
put 644 inittab /etc/inittab
put 644 motd /etc/motd
put 644 read-only.rules /etc/udev/rules.d/00-p2v-read-only.rules
put 755 initramfs-hook /etc/initramfs-tools/hooks/p2v
put 755 find-medium /etc/initramfs-tools/scripts/live-premount/p2v
mkdir -p /captures

# Nothing that is on the PC's disks is put together by itself: no RAID, no volume group, no encrypted volume.
for rule in 63-md-raid-arrays 64-md-raid-assembly 69-lvm 69-lvm-metad 60-persistent-storage-lvm; do
	ln -s /dev/null "/etc/udev/rules.d/$rule.rules"
done
mkdir -p /etc/mdadm /etc/lvm
echo 'AUTO -all' >/etc/mdadm/mdadm.conf
printf 'activation {\n\tauto_activation_volume_list = []\n}\nglobal {\n\tevent_activation = 0\n}\n' >/etc/lvm/lvmlocal.conf
: >/etc/fstab
rm -f /etc/crypttab
# In the initramfs, only what finds the medium.
for hook in /usr/share/initramfs-tools/hooks/* /usr/share/initramfs-tools/scripts/*/*; do
	case "${hook##*/}" in
	busybox | klibc-utils | kmod | live | udev | zz-busybox | zz-busybox-initramfs | thermal | keymap | ORDER | functions) ;;
	*) [ -d "$hook" ] || rm -f "$hook" ;;
	esac
done

echo p2v-live >/etc/hostname
printf '127.0.0.1\tlocalhost p2v-live\n' >/etc/hosts
: >/etc/machine-id
# Nobody logs in from afar; the person at the console is root.
sed -i 's/^\([^:]*:[^:]*\):[0-9]*:/\1:19000:/' /etc/shadow
rm -f /etc/shadow- /etc/passwd- /etc/group- /etc/gshadow- /etc/resolv.conf
ln -s /run/resolv.conf /etc/resolv.conf

# The start files.
mkdir -p /etc/initramfs-tools/conf.d
printf 'MODULES=list\nCOMPRESS=zstd\nRESUME=none\n' >/etc/initramfs-tools/conf.d/p2v
for kernel in /boot/vmlinuz-*; do
	version=${kernel#/boot/vmlinuz-}
	mkinitramfs -o "out/initrd-$version" "$version"
	mv "$kernel" "out/vmlinuz-$version"
	rm -f "/boot/config-$version" "/boot/System.map-$version" /boot/initrd.img*
done
rm -f /vmlinuz* /initrd.img*

# What starts them: GRUB for BIOS and for the UEFI of these processors; with Secure Boot as Microsoft and Debian signed it.
lib=loaders/usr/lib
modules='iso9660 part_msdos normal configfile search search_label linux echo test cpuid all_video gfxterm minicmd halt reboot sleep'
# shellcheck disable=SC2086
loaders/usr/bin/grub-mkimage -O i386-pc-eltorito -d $lib/grub/i386-pc -p /boot/grub -o out/bios.img biosdisk vga_text $modules
cp $lib/grub/i386-pc/boot_hybrid.img out/
# shellcheck disable=SC2086
loaders/usr/bin/grub-mkimage -O i386-efi -d $lib/grub/i386-efi -p /EFI/debian -o out/bootia32.efi fat efi_gop efi_uga $modules
if [ "$(dpkg --print-architecture)" = amd64 ]; then
	cp $lib/shim/shimx64.efi.signed out/bootx64.efi
	cp $lib/grub/x86_64-efi-signed/grubx64.efi.signed out/grubx64.efi
fi

dpkg-query -W -f '${Package}:${Architecture} ${Version}\n' >out/packages
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/debconf/*-old \
	/var/lib/dpkg/*-old /var/log/*.log /var/log/apt /var/cache/ldconfig/aux-cache /tmp/* /root/.wget-hsts
