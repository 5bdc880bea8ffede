package vfs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// find asks the server for an entry of a directory.
func (fs *FS) find(cancel <-chan struct{}, h *fuse.InHeader, dir *node, name string) (nfs4.FH, *nfs4.Attr, error) {
	var fh nfs4.GetFH
	attr := &nfs4.GetAttr{Mask: nfs4.MaskStat}
	err := fs.client.Do(fs.call(cancel, h, nfs4.PutFH{FH: dir.fh}, nfs4.Lookup{Name: name}, &fh, attr))
	return fh.FH, &attr.Attr, err
}

// Lookup finds an entry of a directory.
func (fs *FS) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	dir := fs.node(h.NodeId)
	before := fs.tokenOf(dent{dir.id, name})
	fh, attr, err := fs.find(cancel, h, dir, name)
	if err != nil {
		if nfs4.Failed(err, nfs4.ErrNoEnt) {
			fs.rebind(dent{dir.id, name}, nil)
		}
		return status(err)
	}
	n := fs.take(dir.id, name, fh)
	fs.entry(n, attr, before.of(n), out)
	return fuse.OK
}

// tokens remembers the state of a node before the server is asked about a name that may lead to it.
type tokens struct {
	node  *node
	value uint64
}

func (fs *FS) tokenOf(d dent) tokens {
	fs.mu.Lock()
	n := fs.dents[d]
	fs.mu.Unlock()
	if n == nil {
		return tokens{}
	}
	return tokens{n, n.watchChange()}
}

// of returns the token if it belongs to n. A node met under a new name gets one that never fits, unless it is new itself.
func (t tokens) of(n *node) uint64 {
	if t.node == n {
		return t.value
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.cache.known && n.cache.moves == 0 {
		return 0
	}
	return ^uint64(0)
}

// make creates anything but a regular file.
func (fs *FS) make(cancel <-chan struct{}, h *fuse.InHeader, op *nfs4.Create, out *fuse.EntryOut) fuse.Status {
	dir := fs.node(h.NodeId)
	var fh nfs4.GetFH
	attr := &nfs4.GetAttr{Mask: nfs4.MaskStat}
	call := fs.call(cancel, h, nfs4.PutFH{FH: dir.fh}, op, &fh, attr)
	call.Once, call.Main = true, 2
	err := fs.client.Do(call)
	gotFH, gotAttr := fh.FH, &attr.Attr
	repeated := nfs4.Failed(err, nfs4.ErrExist) && call.Uncertain
	if nfs4.After(err, 2) || repeated {
		gotFH, gotAttr, err = fs.find(cancel, h, dir, op.Name)
		if err == nil && repeated && gotAttr.Type != op.Type {
			return fuse.Status(syscall.EEXIST)
		}
	}
	if err != nil {
		return status(err)
	}
	n := fs.take(dir.id, op.Name, gotFH)
	fs.entry(n, gotAttr, tokens{}.of(n), out)
	return fuse.OK
}

func modeAttr(mode uint32) *nfs4.SetAttrs {
	mode &= 07777
	return &nfs4.SetAttrs{Mode: &mode}
}

// Mkdir makes a directory.
func (fs *FS) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return fs.make(cancel, &in.InHeader, &nfs4.Create{Type: nfs4.TypeDirectory, Name: name, Attrs: modeAttr(in.Mode)}, out)
}

// Symlink makes a symbolic link.
func (fs *FS) Symlink(cancel <-chan struct{}, h *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	return fs.make(cancel, h, &nfs4.Create{Type: nfs4.TypeSymlink, Name: name, Target: target, Attrs: modeAttr(0777)}, out)
}

// Mknod makes a file, a pipe, a socket or a device.
func (fs *FS) Mknod(cancel <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	op := &nfs4.Create{Name: name, Attrs: modeAttr(in.Mode)}
	op.Major, op.Minor = splitdev(in.Rdev)
	switch in.Mode & syscall.S_IFMT {
	case syscall.S_IFIFO:
		op.Type = nfs4.TypeFIFO
	case syscall.S_IFSOCK:
		op.Type = nfs4.TypeSocket
	case syscall.S_IFCHR:
		op.Type = nfs4.TypeChar
	case syscall.S_IFBLK:
		op.Type = nfs4.TypeBlock
	default:
		return fs.mkfile(cancel, &in.InHeader, in.Mode, name, out)
	}
	return fs.make(cancel, &in.InHeader, op, out)
}

// mkfile makes a regular file without opening it.
func (fs *FS) mkfile(cancel <-chan struct{}, h *fuse.InHeader, mode uint32, name string, out *fuse.EntryOut) fuse.Status {
	dir := fs.node(h.NodeId)
	made, err := fs.client.Create(dir.fh, name, nfs4.Exclusive, modeAttr(mode), nfs4.ShareWrite, fs.creds.of(&h.Caller),
		interrupt(cancel, h.Pid))
	if err != nil {
		return status(err)
	}
	fs.client.CloseOpen(made.Open)
	n := fs.take(dir.id, name, made.FH)
	fs.entry(n, made.Attr, tokens{}.of(n), out)
	return fuse.OK
}

// Link gives a file one more name.
func (fs *FS) Link(cancel <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	dir, n := fs.node(in.NodeId), fs.node(in.Oldnodeid)
	attr := &nfs4.GetAttr{Mask: nfs4.MaskStat}
	n.touched()
	call := fs.call(cancel, &in.InHeader, nfs4.PutFH{FH: n.fh}, nfs4.SaveFH, nfs4.PutFH{FH: dir.fh}, nfs4.Link{Name: name},
		nfs4.RestoreFH, attr)
	call.Once, call.Main = true, 4
	err := fs.client.Do(call)
	n.touched()
	got := &attr.Attr
	repeated := nfs4.Failed(err, nfs4.ErrExist) && call.Uncertain
	if nfs4.After(err, 4) || repeated {
		var fh nfs4.FH
		fh, got, err = fs.find(cancel, &in.InHeader, dir, name)
		if err == nil && string(fh) != string(n.fh) {
			return fuse.Status(syscall.EEXIST)
		}
	}
	if err != nil {
		return status(err)
	}
	fs.entry(fs.take(dir.id, name, n.fh), got, n.watchChange(), out)
	return fuse.OK
}

// Readlink reads a symbolic link.
func (fs *FS) Readlink(cancel <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	op := &nfs4.ReadLink{}
	err := fs.client.Do(fs.call(cancel, h, nfs4.PutFH{FH: fs.node(h.NodeId).fh}, op))
	return []byte(op.Target), status(err)
}

// remove removes a name. An answer that was lost and the name gone count as done.
func (fs *FS) remove(cancel <-chan struct{}, h *fuse.InHeader, dir *node, name string) error {
	call := fs.call(cancel, h, nfs4.PutFH{FH: dir.fh}, nfs4.Remove{Name: name})
	call.Once, call.Main = true, 2
	err := fs.client.Do(call)
	if nfs4.Failed(err, nfs4.ErrNoEnt) && call.Uncertain {
		return nil
	}
	return err
}

// Unlink removes a name. A file that is open stays, under a hidden name, until it is closed.
func (fs *FS) Unlink(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	dir := fs.node(h.NodeId)
	n, err := fs.target(cancel, h, dir, name)
	if err != nil {
		return status(err)
	}
	if n != nil {
		if err := n.naming.lock(interrupt(cancel, h.Pid)); err != nil {
			return status(err)
		}
		defer n.naming.unlock()
		defer n.touched()
	}
	if n != nil && n.wantsSilly() {
		err = fs.hide(cancel, h, dir, name, n)
	} else {
		err = fs.remove(cancel, h, dir, name)
	}
	if err == nil {
		fs.rebind(dent{dir.id, name}, nil)
	}
	return status(err)
}

// target returns the node that a name leads to, or nil if the kernel does not know it.
func (fs *FS) target(cancel <-chan struct{}, h *fuse.InHeader, dir *node, name string) (*node, error) {
	fs.mu.Lock()
	n := fs.dents[dent{dir.id, name}]
	open := len(fs.files)
	fs.mu.Unlock()
	if n != nil || open == 0 {
		return n, nil
	}
	fh, _, err := fs.find(cancel, h, dir, name)
	if nfs4.Failed(err, nfs4.ErrNoEnt) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return fs.known(fh), nil
}

// Rmdir removes a directory. Hidden files that still lie in it go up to its parent.
func (fs *FS) Rmdir(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	dir := fs.node(h.NodeId)
	err := fs.remove(cancel, h, dir, name)
	if nfs4.Failed(err, nfs4.ErrNotEmpty) && fs.raise(cancel, h, dir, name) {
		err = fs.remove(cancel, h, dir, name)
	}
	if err == nil || nfs4.Failed(err, nfs4.ErrNoEnt) {
		fs.rebind(dent{dir.id, name}, nil)
	}
	// Some servers say so with EEXIST.
	if nfs4.Failed(err, nfs4.ErrExist) {
		return fuse.Status(syscall.ENOTEMPTY)
	}
	return status(err)
}

// Rename moves a file over another. A file that is replaced while it is open keeps a hidden name; nobody ever finds the name missing.
func (fs *FS) Rename(cancel <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	if in.Flags != 0 {
		return fuse.EINVAL
	}
	h := &in.InHeader
	oldDir, newDir := fs.node(in.NodeId), fs.node(in.Newdir)
	moved, err := fs.target(cancel, h, oldDir, from)
	if err != nil {
		return status(err)
	}
	replaced, err := fs.target(cancel, h, newDir, to)
	if err != nil {
		return status(err)
	}
	undo := func() {}
	if replaced != nil && replaced != moved {
		if err := replaced.naming.lock(interrupt(cancel, h.Pid)); err != nil {
			return status(err)
		}
		defer replaced.naming.unlock()
		defer replaced.touched()
		if replaced.wantsSilly() {
			if undo, err = fs.keepAside(cancel, h, newDir, to, replaced); err != nil {
				return status(err)
			}
		}
	}
	if err = fs.rename(cancel, h, oldDir, from, newDir, to, moved); err != nil {
		undo()
		return status(err)
	}
	if moved != nil {
		moved.touched()
	}
	fs.renamed(dent{oldDir.id, from}, dent{newDir.id, to}, moved)
	return fuse.OK
}

func (fs *FS) renamed(from, to dent, moved *node) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.bind(to, moved)
	if from != to {
		fs.bind(from, nil)
	}
}

func (fs *FS) rename(cancel <-chan struct{}, h *fuse.InHeader, oldDir *node, from string, newDir *node, to string, moved *node) error {
	call := fs.call(cancel, h, nfs4.PutFH{FH: oldDir.fh}, nfs4.SaveFH, nfs4.PutFH{FH: newDir.fh}, nfs4.Rename{From: from, To: to})
	call.Once, call.Main = true, 4
	err := fs.client.Do(call)
	if nfs4.Failed(err, nfs4.ErrNoEnt) && call.Uncertain && moved != nil {
		if fh, _, findErr := fs.find(cancel, h, newDir, to); findErr == nil && string(fh) == string(moved.fh) {
			return nil
		}
	}
	return err
}
