package vfs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
	"mlops.platform/lab/nfsfuse/internal/rpc"
)

// file is an open file of the kernel.
type file struct {
	n    *node
	ref  *openRef
	seen uint64 // losses of data that it was told of; under n.store.mu
}

func shareOf(flags uint32) uint32 {
	switch flags & syscall.O_ACCMODE {
	case syscall.O_RDONLY:
		return nfs4.ShareRead
	case syscall.O_WRONLY:
		return nfs4.ShareWrite
	}
	return nfs4.ShareRead | nfs4.ShareWrite
}

// Open opens a file. Cached data stays when nobody else has changed the file.
func (fs *FS) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n := fs.node(in.NodeId)
	intr := interrupt(cancel, in.Pid)
	if err := n.naming.share(intr); err != nil {
		return status(err)
	}
	defer n.naming.unshare()
	key := openKey{fs.creds.of(&in.Caller), shareOf(in.Flags)}
	token := n.watchChange()
	ref, attr, err := fs.openNode(n, key, intr)
	if err != nil {
		return status(err)
	}
	if foreign, _ := n.observe(token, attr); !foreign {
		out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	}
	out.Fh = fs.addFile(n, ref)
	return fuse.OK
}

// openNode shares the open state of an equal opener, after asking the server whether that one may still open the file.
func (fs *FS) openNode(n *node, key openKey, intr *nfs4.Intr) (*openRef, *nfs4.Attr, error) {
	n.mu.Lock()
	ref := n.opens[key]
	if ref != nil {
		ref.refs++
	}
	n.mu.Unlock()
	if ref != nil {
		attr, err := fs.mayOpen(n, key, intr)
		if err != nil {
			fs.unref(n, ref)
			return nil, nil, err
		}
		return ref, attr, nil
	}
	o, attr, err := fs.client.OpenFH(n.fh, key.share, key.cred, intr)
	if err != nil {
		return nil, nil, err
	}
	return n.addOpen(key, o), attr, nil
}

func (n *node) addOpen(key openKey, o *nfs4.Open) *openRef {
	n.mu.Lock()
	defer n.mu.Unlock()
	ref := &openRef{key: key, open: o, refs: 1}
	if n.opens[key] == nil {
		n.opens[key] = ref
	}
	return ref
}

func (fs *FS) mayOpen(n *node, key openKey, intr *nfs4.Intr) (*nfs4.Attr, error) {
	access := &nfs4.Access{}
	if key.share&nfs4.ShareRead != 0 {
		access.Mask |= nfs4.AccessRead
	}
	if key.share&nfs4.ShareWrite != 0 {
		access.Mask |= nfs4.AccessModify | nfs4.AccessExtend
	}
	attr := &nfs4.GetAttr{Mask: nfs4.MaskStat}
	err := fs.client.Do(&nfs4.Call{Cred: key.cred, Ops: []nfs4.Op{nfs4.PutFH{FH: n.fh}, access, attr}, Intr: intr})
	if err == nil && access.Supported&^access.Granted&access.Mask != 0 {
		err = syscall.EACCES
	}
	return &attr.Attr, err
}

func (fs *FS) addFile(n *node, ref *openRef) uint64 {
	known := n.store.known()
	n.mu.Lock()
	n.handles++
	n.mu.Unlock()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.lastFH++
	fs.files[fs.lastFH] = &file{n, ref, known}
	return fs.lastFH
}

func (fs *FS) file(fh uint64) *file {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.files[fh]
}

// Create makes and opens a file.
func (fs *FS) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	dir := fs.node(in.NodeId)
	key := openKey{fs.creds.of(&in.Caller), shareOf(in.Flags)}
	mode, attrs := nfs4.Unchecked, modeAttr(in.Mode)
	if in.Flags&syscall.O_EXCL != 0 {
		mode = nfs4.Exclusive
	} else if in.Flags&syscall.O_TRUNC != 0 {
		attrs.Size = new(uint64)
	}
	made, err := fs.client.Create(dir.fh, name, mode, attrs, key.share, key.cred, interrupt(cancel, in.Pid))
	if err != nil {
		return status(err)
	}
	n := fs.take(dir.id, name, made.FH)
	if attrs.Size != nil {
		n.store.truncated(0)
	}
	ref := n.addOpen(key, made.Open)
	fs.entry(n, made.Attr, tokens{}.of(n), &out.EntryOut)
	out.Fh = fs.addFile(n, ref)
	return fuse.OK
}

// Flush is called by every close. Data is on the server already; only what the server has lost for good has to be told.
func (fs *FS) Flush(_ <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	f := fs.file(in.Fh)
	return status(f.n.store.lost(f))
}

// Release is called by the last close. Nobody waits for it.
func (fs *FS) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	fs.mu.Lock()
	f := fs.files[in.Fh]
	delete(fs.files, in.Fh)
	fs.mu.Unlock()
	fs.closing.begin()
	go func() {
		defer fs.closing.end()
		fs.release(f)
	}()
}

func (fs *FS) release(f *file) {
	n := f.n
	_ = n.naming.share(nil) // nobody waits for this, so it cannot be interrupted
	n.mu.Lock()
	n.handles--
	gone := n.handles == 0 && n.silly != nil
	n.mu.Unlock()
	n.naming.unshare()
	if gone {
		n.store.discard()
	} else if f.ref.key.share&nfs4.ShareWrite != 0 {
		// The open state is needed to write again what the server may lose.
		if err := n.store.commit(nil); err != nil {
			fs.logf("close: %v", err)
		}
	}
	fs.unref(n, f.ref)
	if gone {
		fs.dropSilly(n)
	}
}

func (fs *FS) unref(n *node, ref *openRef) {
	n.mu.Lock()
	ref.refs--
	last := ref.refs == 0
	if last && n.opens[ref.key] == ref {
		delete(n.opens, ref.key)
	}
	n.mu.Unlock()
	if last {
		fs.client.CloseOpen(ref.open)
	}
}

// writer returns open state that may write, or nil.
func (n *node) writer() *nfs4.Open {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, ref := range n.opens {
		if ref.key.share&nfs4.ShareWrite != 0 {
			return ref.open
		}
	}
	return nil
}

func (f *file) cred() *rpc.Cred { return f.ref.key.cred }

// Write writes through to the server, which may still keep the data in memory.
func (fs *FS) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	f := fs.file(in.Fh)
	atEnd := in.Flags&syscall.O_APPEND != 0 && in.WriteFlags&fuse.WRITE_CACHE == 0
	n, err := f.n.store.write(f, in.Offset, data, atEnd, interrupt(cancel, in.Pid))
	if n > 0 {
		return uint32(n), fuse.OK
	}
	return 0, status(err)
}

// Writev is not used by the kernel.
func (fs *FS) Writev(<-chan struct{}, *fuse.WriteIn, [][]byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

// Fsync makes everything written stable.
func (fs *FS) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	f := fs.file(in.Fh)
	return status(f.n.store.sync(f, interrupt(cancel, in.Pid)))
}
