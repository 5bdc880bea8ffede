package mountd

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// bind mounts a folder of an export. No link on the way is followed: it would lead into this machine's own files.
func bind(dir, sub, target string, flags []string) error {
	base, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	defer unix.Close(base)
	from, err := unix.Openat2(base, filepath.Join(".", sub), &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return fmt.Errorf("open %s of the export: %w", sub, err)
	}
	defer unix.Close(from)
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", from), target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount on %s: %w", target, err)
	}
	if bits := flagBits(flags); bits != 0 {
		bits |= unix.MS_BIND | unix.MS_REMOUNT | unix.MS_NOSUID | unix.MS_NODEV
		if err := unix.Mount("", target, "", bits, ""); err != nil {
			return errors.Join(fmt.Errorf("set mount options on %s: %w", target, err), unix.Unmount(target, unix.MNT_DETACH))
		}
	}
	return nil
}

func flagBits(flags []string) (bits uintptr) {
	for _, f := range flags {
		bits |= map[string]uintptr{
			"ro": unix.MS_RDONLY, "noexec": unix.MS_NOEXEC, "noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME,
		}[f]
	}
	return bits
}
