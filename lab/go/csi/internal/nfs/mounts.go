package nfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
	mount "k8s.io/mount-utils"
)

const targetMode = 0o750

// mountNFS gives a mount that hangs up after a while. The command itself may go on:
// where it succeeds later, the next call finds the volume mounted.
func (d *Driver) mountNFS(source, target string, options []string) error {
	done := make(chan error, 1)
	go func() { done <- d.mounter.Mount(source, target, "nfs", options) }()
	select {
	case err := <-done:
		return err
	case <-time.After(d.mountTimeout):
		return fmt.Errorf("mount of %s at %s: no answer after %s", source, target, d.mountTimeout)
	}
}

// unmount also removes the folder, which must then be empty. It takes force where the server does not answer.
func (d *Driver) unmount(target string) error {
	if forcer, can := d.mounter.(mount.MounterForceUnmounter); can {
		return mount.CleanupMountWithForce(target, forcer, true, forceUnmountAfter)
	}
	return mount.CleanupMountPoint(target, d.mounter, true)
}

// prepareTarget makes the folder to mount at and says whether a live mount is there already.
// A dead one, of a server or a FUSE daemon that is gone, is taken away.
func (d *Driver) prepareTarget(target string) (mounted bool, err error) {
	notMounted, err := d.mounter.IsLikelyNotMountPoint(target)
	if err == nil && !notMounted {
		_, err = os.Lstat(target)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, os.MkdirAll(target, targetMode)
	case isStale(err):
		klog.InfoS("Stale mount detected, mounting it anew", "target", target, "reason", err)
		if err := d.unmount(target); err != nil {
			return false, fmt.Errorf("failed to unmount the stale mount %s: %w", target, err)
		}
		return false, os.MkdirAll(target, targetMode)
	}
	return err == nil && !notMounted, err
}

func isStale(err error) bool {
	return errors.Is(err, unix.ESTALE) || errors.Is(err, unix.ENOTCONN)
}

// inShare mounts a volume's share for the time of one piece of work. That gets an os.Root,
// so no link that a pod put into the share can lead it out of the share.
func (d *Driver) inShare(v volume, options []string, work func(*os.Root) error) error {
	target := filepath.Join(d.opts.WorkingMountDir, v.workName())
	// What an earlier process left mounted there may be another share.
	if err := d.unmount(target); err != nil {
		return fmt.Errorf("failed to clean up %s: %w", target, err)
	}
	if err := os.MkdirAll(target, targetMode); err != nil {
		return err
	}
	defer func() {
		if err := d.unmount(target); err != nil {
			klog.ErrorS(err, "Failed to unmount nfs server", "target", target)
		}
	}()
	source := mountSource(v.server, v.sharePath(), "")
	klog.V(2).InfoS("Internally mounting", "source", source, "target", target, "options", options)
	if err := d.mountNFS(source, target, options); err != nil {
		return fmt.Errorf("failed to mount nfs server: %w", err)
	}
	root, err := os.OpenRoot(target)
	if err != nil {
		return err
	}
	defer root.Close()
	return work(root)
}
