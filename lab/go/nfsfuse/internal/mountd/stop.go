package mountd

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// Stop makes all data stable, unmounts everything and tells the servers. It gives up waiting for servers after a time.
func (d *Daemon) Stop(patience time.Duration) error {
	deadline := make(chan struct{})
	timer := time.AfterFunc(patience, func() { close(deadline) })
	defer timer.Stop()
	d.mu.Lock()
	d.stopped = true
	list := make([]*export, 0, len(d.exports))
	for _, e := range d.exports {
		if e.fs != nil {
			list = append(list, e)
		}
	}
	d.mu.Unlock()
	failed := d.syncAll(list, deadline)
	failed = errors.Join(failed, clean(d.state, d.logf))
	// Programs that hold files open still wrote in between; from here on they hold a mount that ends with this process.
	failed = errors.Join(failed, d.syncAll(list, deadline))
	gone := make(chan struct{})
	go func() {
		d.alive.Wait()
		close(gone)
	}()
	grace := time.NewTimer(min(patience, 2*time.Second))
	defer grace.Stop()
	select {
	case <-gone:
	case <-grace.C:
		d.logf("some mounts are still in use, by open files or in other mount namespaces; they end now")
	case <-deadline:
	}
	return failed
}

func (d *Daemon) syncAll(list []*export, deadline <-chan struct{}) (failed error) {
	for _, e := range list {
		if err := e.fs.Sync(nfs4.Deadline(deadline)); err != nil {
			d.logf("sync of %s: %v", e.path, err)
			failed = err
		}
		if !e.fs.Drain(deadline) {
			d.logf("files of %s are still being closed", e.path)
		}
	}
	return failed
}

// clean lazily unmounts every mount, anywhere, of the exports below a state folder, and the folder's own mount.
func clean(state string, logf Logf) error {
	list, err := readMountinfo()
	if err != nil {
		return err
	}
	var failed error
	for dev := range devices(list, state) {
		for _, point := range pointsOf(list, dev, "") {
			if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
				failed = errors.Join(failed, &os.PathError{Op: "unmount", Path: point, Err: err})
				continue
			}
			logf("unmounted %s", point)
		}
	}
	for _, m := range list {
		if m.point == state {
			failed = errors.Join(failed, unix.Unmount(state, unix.MNT_DETACH))
		}
	}
	return errors.Join(failed, removeFolders(state))
}

// removeFolders removes the empty mount points of a state folder.
func removeFolders(state string) error {
	entries, err := os.ReadDir(state)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			_ = os.Remove(filepath.Join(state, entry.Name()))
		}
	}
	return nil
}

// Clean removes what a daemon that was killed left behind. It fails while a daemon runs.
func Clean(state string, logf Logf) error {
	if _, err := os.Stat(state); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	state, err := filepath.EvalSymlinks(state)
	if err != nil {
		return err
	}
	lock, err := lockState(state)
	if err != nil {
		return err
	}
	defer lock.Close()
	return clean(state, logf)
}
