#!/bin/sh
# Mounts two exports and writes to the first until it is refused, then to the second. Prints how the first write ended.
# usage: client.sh MOUNT_NFS SERVER FIRST SECOND
set -eu
if [ "${INSIDE:-}" != yes ]; then
    INSIDE=yes exec unshare --mount "$0" "$@"
fi
folder=$(mktemp -d)
chmod 0711 "$folder"
mkdir "$folder/first" "$folder/second"
trap 'umount "$folder/first" "$folder/second"; rmdir "$folder/first" "$folder/second" "$folder"' EXIT
"$1" "$2:$3" "$folder/first" -o nfsvers=4.1,hard
"$1" "$2:$4" "$folder/second" -o nfsvers=4.1,hard
as_stranger() { setpriv --reuid=12345 --regid=12345 --clear-groups "$@"; }
if said=$(as_stranger dd if=/dev/zero of="$folder/first/file" bs=1M count=200 conv=fsync 2>&1); then
    echo "200 MiB were accepted"
    exit 1
fi
as_stranger dd if=/dev/zero of="$folder/second/file" bs=1M count=8 conv=fsync 2>&1
echo "$said" | grep "^dd:" | tail -n 1
