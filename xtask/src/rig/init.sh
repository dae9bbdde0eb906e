#!/bin/sh
# First program of the rig's kernel: makes the outer machine's file system appear, runs the command, powers off.
export PATH=/bin
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
while read -r module; do
	$B insmod "/modules/$module" || echo "rig: cannot insert $module"
done < /modules/order

fail() {
	echo "rig: $1"
	$B poweroff -f
}

share() { # tag, folder, options
	$B mount -t 9p -o "trans=virtio,version=9p2000.L,msize=524288,cache=none,$3" "$1" "$2" || fail "cannot mount $1"
}

# The outer root is shared read-only; what the command writes goes to memory and is dropped.
share root /lower ro
$B mount -t tmpfs -o size=60%,mode=755 upper /upper
$B mkdir /upper/data /upper/work
$B mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /host || fail "cannot mount the overlay"
$B mount -t proc proc /host/proc
$B mount -t sysfs sys /host/sys
$B mount -o bind /dev /host/dev
$B mkdir -p /host/dev/shm /host/dev/pts
$B mount -t tmpfs -o mode=1777 shm /host/dev/shm
$B mount -t devpts pts /host/dev/pts
$B mount -t tmpfs -o mode=755 run /host/run
$B ifconfig lo 127.0.0.1 up

# rig.out=FOLDER on the kernel's command line: where results are kept, at the same path inside and outside.
out=$($B sed -n 's/.*rig\.out=\([^ ]*\).*/\1/p' /proc/cmdline)
$B mkdir -p "/host$out"
share out "/host$out" rw

# The virtio-serial ports' names are in sysfs; without udev nobody makes links of them.
for port in /sys/class/virtio-ports/*; do
	case $($B cat "$port/name") in
		rig.stdout) stdout=/dev/${port##*/} ;;
		rig.stderr) stderr=/dev/${port##*/} ;;
	esac
done
[ -c "$stdout" ] && [ -c "$stderr" ] || fail "no output ports"

$B chroot /host /bin/sh "$out/.rig/command" < /dev/null > "$stdout" 2> "$stderr"
echo $? > "/host$out/.rig/status"
$B sync
$B poweroff -f
