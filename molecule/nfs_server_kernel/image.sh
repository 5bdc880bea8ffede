#!/bin/sh
# Makes the disk of a Debian machine with a real kernel for QEMU, once for each content of this file.
# usage: image.sh CACHE_DIR    prints the folder that holds disk.raw, vmlinuz and initrd.img
set -eu
umask 022
key=$(sha256sum "$0" | cut -c1-16)
out=$1/qemu/$key
if [ ! -e "$out/.complete" ]; then
    mkdir -p "$1/qemu"
    # One builder at a time: two checkouts may want the same image.
    exec 9>"$out.lock"
    flock 9
fi
if [ ! -e "$out/.complete" ]; then
    work=$(mktemp -d "$1/qemu/.work-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mmdebstrap --variant=minbase --quiet \
        --include=linux-image-cloud-amd64,systemd-sysv,dbus,udev,openssh-server,python3,python3-apt,iproute2,ca-certificates,e2fsprogs,xfsprogs,nfs-common \
        --customize-hook='echo nfsk01 > "$1/etc/hostname"' \
        --customize-hook='printf "%s\n" "/dev/vda / ext4 defaults 0 1" "/dev/vdb /bitnami xfs defaults,pquota 0 2" "/dev/vdc /srv/nfs ext4 defaults,prjquota 0 2" > "$1/etc/fstab"' \
        --customize-hook='mkdir -p "$1/bitnami" "$1/srv/nfs"' \
        --customize-hook='chroot "$1" systemctl enable systemd-networkd.service' \
        --customize-hook='rm -f "$1"/etc/ssh/ssh_host_*' \
        --customize-hook='rm -rf "$1"/var/cache/apt/archives/*.deb' \
        bookworm "$work/root" >&2
    # What the machine needs to reach packages from here: the same settings as this machine has.
    cp -r /etc/apt/apt.conf.d/. "$work/root/etc/apt/apt.conf.d/"
    cp /etc/ssl/certs/ca-certificates.crt "$work/root/etc/ssl/certs/ca-certificates.crt"
    mkdir "$work/out"
    cp "$work"/root/boot/vmlinuz-* "$work/out/vmlinuz"
    cp "$work"/root/boot/initrd.img-* "$work/out/initrd.img"
    mke2fs -q -t ext4 -d "$work/root" "$work/out/disk.raw" 2G >&2
    touch "$work/out/.complete"
    rm -rf "$out"
    mv "$work/out" "$out"
fi
echo "$out"
