#!/bin/sh
# Disks, keys and network of the machine: what QEMU does not do itself.
# usage: machine.sh up FOLDER NETWORK IMAGE | machine.sh down FOLDER NETWORK    NETWORK: the first three numbers of a /24
set -eu
what=$1 folder=$2 network=$3
tap=mlnfsk01 table=molecule_nfsk01

down() {
    if ip link show "$tap" >/dev/null 2>&1; then ip link delete "$tap"; fi
    if nft list table ip "$table" >/dev/null 2>&1; then nft delete table ip "$table"; fi
    rm -rf "$folder"
}

up() {
    image=$1
    umask 077
    mkdir -p "$folder"
    cd "$folder"
    cp --sparse=always "$image/disk.raw" system.raw
    truncate -s 1G xfs.raw ext4.raw
    mkfs.xfs -q -f xfs.raw
    mkfs.ext4 -q -F -O project,quota -E quotatype=prjquota ext4.raw
    ssh-keygen -q -t ed25519 -N '' -C nfsk01 -f ssh_key
    ssh-keygen -q -t ed25519 -N '' -C nfsk01 -f host_key
    echo "$network.2 $(cut -d' ' -f1-2 host_key.pub)" > known_hosts
    printf '[Match]\nName=eth0\n[Network]\nAddress=%s.2/24\nGateway=%s.1\n' "$network" "$network" > eth0.network
    cp -L /etc/resolv.conf resolv.conf
    printf '%s\n' 'mkdir /root/.ssh' \
        'write ssh_key.pub /root/.ssh/authorized_keys' \
        'write host_key /etc/ssh/ssh_host_ed25519_key' \
        'write eth0.network /etc/systemd/network/eth0.network' \
        'rm /etc/resolv.conf' \
        'write resolv.conf /etc/resolv.conf' \
        'sif /root/.ssh mode 040700' \
        'sif /etc/resolv.conf mode 0100644' \
        'sif /etc/systemd/network/eth0.network mode 0100644' \
        | debugfs -w -f - system.raw >debugfs.log 2>&1
    ip tuntap add "$tap" mode tap
    ip address add "$network.1/24" dev "$tap"
    ip link set "$tap" up
    sysctl -qw net.ipv4.ip_forward=1
    printf '%s\n' "table ip $table {" \
        'chain out { type nat hook postrouting priority srcnat; policy accept;' \
        "ip saddr $network.0/24 oifname != \"$tap\" masquerade" '}' '}' | nft -f -
}

case $what in
    up) up "$4" ;;
    down) down ;;
esac
