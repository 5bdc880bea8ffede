package vfs

import (
	"maps"
	"slices"
	"time"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// noteDirty remembers a file whose data the server has not made stable.
func (fs *FS) noteDirty(n *node) {
	fs.mu.Lock()
	fs.dirty[n] = true
	fs.mu.Unlock()
	select {
	case fs.dirtied <- struct{}{}:
	default:
	}
}

func (fs *FS) takeDirty() []*node {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := make([]*node, 0, len(fs.dirty))
	for n := range fs.dirty {
		list = append(list, n)
	}
	clear(fs.dirty)
	return list
}

// flush makes data stable that nobody syncs, so that little has to be kept for long.
func (fs *FS) flush() {
	for {
		select {
		case <-fs.stop:
			return
		case <-fs.dirtied:
		}
		t := time.NewTimer(flushAfter)
		select {
		case <-fs.stop:
			t.Stop()
			return
		case <-t.C:
		}
		for _, n := range fs.takeDirty() {
			n.store.background()
		}
	}
}

// Sync makes everything stable. The first error is returned, after everything was tried.
func (fs *FS) Sync(intr *nfs4.Intr) error {
	var first error
	for _, n := range fs.allNodes() {
		if err := n.store.commit(intr); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (fs *FS) allNodes() []*node {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.Collect(maps.Values(fs.nodes))
}

// OnUnmount is called when the kernel has let go of the filesystem.
func (fs *FS) OnUnmount() { close(fs.stop) }

// Drain waits for closes that are still under way. It returns false when done is closed before.
func (fs *FS) Drain(done <-chan struct{}) bool { return fs.closing.wait(done) }
