#!/bin/sh
# Mounts an export and writes to it, each time down to the disk, until a file says stop. Prints the number of writes.
# usage: writer.sh MOUNT_NFS SERVER:EXPORT STOP_FILE
set -eu
if [ "${INSIDE:-}" != yes ]; then
    INSIDE=yes exec unshare --mount "$0" "$@"
fi
folder=$(mktemp -d)
trap 'cd /; umount "$folder"; rmdir "$folder"' EXIT
"$1" "$2" "$folder" -o nfsvers=4.1,hard
cd "$folder"
count=0
while [ ! -e "$3" ]; do
    dd if=/dev/zero of=writes bs=4k count=1 oflag=append conv=notrunc,fsync status=none
    count=$((count + 1))
    test "$(stat -c %s writes)" -eq $((count * 4096))
done
echo "$count"
