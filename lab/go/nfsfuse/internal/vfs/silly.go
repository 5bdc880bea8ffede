package vfs

import (
	"crypto/rand"
	"fmt"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
	"mlops.platform/lab/nfsfuse/internal/rpc"
)

// silly is the hidden name of a file that was removed while it was open.
type silly struct {
	dir  *node
	name string
	cred *rpc.Cred
}

func (n *node) wantsSilly() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.handles > 0 && n.silly == nil
}

// sillyName is never used twice, not even by another client or after a restart: a rename to it must not replace anything.
func sillyName() string {
	b := make([]byte, 12)
	rand.Read(b)
	return fmt.Sprintf(".nfs%x", b)
}

// hide gives an open file a hidden name in place of its own.
func (fs *FS) hide(cancel <-chan struct{}, h *fuse.InHeader, dir *node, name string, n *node) error {
	hidden := sillyName()
	if err := fs.rename(cancel, h, dir, name, dir, hidden, n); err != nil {
		return err
	}
	fs.setSilly(n, &silly{dir, hidden, fs.creds.of(&h.Caller)})
	return nil
}

// keepAside links an open file to a hidden name before something is renamed over it. undo takes that back.
func (fs *FS) keepAside(cancel <-chan struct{}, h *fuse.InHeader, dir *node, name string, n *node) (undo func(), err error) {
	hidden := sillyName()
	call := fs.call(cancel, h, nfs4.PutFH{FH: n.fh}, nfs4.SaveFH, nfs4.PutFH{FH: dir.fh}, nfs4.Link{Name: hidden})
	call.Once, call.Main = true, 4
	err = fs.client.Do(call)
	switch {
	case nfs4.Failed(err, nfs4.ErrNotSupp), nfs4.Failed(err, nfs4.ErrPerm), nfs4.Failed(err, nfs4.ErrMLink):
		return func() {}, fs.hide(cancel, h, dir, name, n)
	case err != nil && !(call.Uncertain && nfs4.Failed(err, nfs4.ErrExist)):
		return nil, err
	}
	fs.setSilly(n, &silly{dir, hidden, fs.creds.of(&h.Caller)})
	return func() { fs.dropSilly(n) }, nil
}

func (fs *FS) setSilly(n *node, s *silly) {
	n.mu.Lock()
	old := n.silly
	n.silly = s
	n.mu.Unlock()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if old != nil {
		delete(fs.hidden[old.dir.id], old.name)
	}
	if s != nil {
		if fs.hidden[s.dir.id] == nil {
			fs.hidden[s.dir.id] = map[string]*node{}
		}
		fs.hidden[s.dir.id][s.name] = n
	}
}

// isHidden tells whether a name is one of this client's hidden files.
func (fs *FS) isHidden(dir *node, name string) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.hidden[dir.id][name] != nil
}

// dropSilly removes the hidden name.
func (fs *FS) dropSilly(n *node) {
	n.mu.Lock()
	s := n.silly
	n.mu.Unlock()
	if s == nil {
		return
	}
	call := &nfs4.Call{Cred: s.cred, Ops: []nfs4.Op{nfs4.PutFH{FH: s.dir.fh}, nfs4.Remove{Name: s.name}}, Once: true, Main: 2}
	if err := fs.client.Do(call); err != nil && !nfs4.Failed(err, nfs4.ErrNoEnt) {
		fs.logf("hidden file %s stays: %v", s.name, err)
	}
	fs.setSilly(n, nil)
}

// raise moves the hidden files of a directory that is to be removed into its parent.
func (fs *FS) raise(cancel <-chan struct{}, h *fuse.InHeader, parent *node, name string) bool {
	fh, _, err := fs.find(cancel, h, parent, name)
	if err != nil {
		return false
	}
	dir := fs.known(fh)
	if dir == nil {
		return false
	}
	raised := false
	for hidden, n := range fs.hiddenIn(dir) {
		target := sillyName()
		if fs.rename(cancel, h, dir, hidden, parent, target, n) == nil {
			fs.setSilly(n, &silly{parent, target, fs.creds.of(&h.Caller)})
			raised = true
		}
	}
	return raised
}

func (fs *FS) hiddenIn(dir *node) map[string]*node {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	found := map[string]*node{}
	for name, n := range fs.hidden[dir.id] {
		found[name] = n
	}
	return found
}
