package vfs

import (
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
	"mlops.platform/lab/nfsfuse/internal/rpc"
)

const (
	dirChunk  = 128 << 10
	offDot    = 1 // the kernel's offset behind "."
	offDotDot = 2 // and behind "..": NFS never uses the cookies 0 to 2 for an entry
)

// dir is a directory that is being read.
type dir struct {
	n    *node
	cred *rpc.Cred

	mu       sync.Mutex
	entries  []nfs4.Entry
	off      uint64 // the offset at which entries begin
	verifier nfs4.Verifier
	eof      bool
	plus     bool
}

// OpenDir starts reading a directory.
func (fs *FS) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n := fs.node(in.NodeId)
	cred := fs.creds.of(&in.Caller)
	access := &nfs4.Access{Mask: nfs4.AccessRead}
	call := &nfs4.Call{Cred: cred, Ops: []nfs4.Op{nfs4.PutFH{FH: n.fh}, access}, Intr: interrupt(cancel, in.Pid)}
	if err := fs.client.Do(call); err != nil {
		return status(err)
	}
	if access.Granted&nfs4.AccessRead == 0 {
		return fuse.EACCES
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.lastFH++
	fs.dirs[fs.lastFH] = &dir{n: n, cred: cred}
	out.Fh = fs.lastFH
	return fuse.OK
}

// ReleaseDir ends it.
func (fs *FS) ReleaseDir(in *fuse.ReleaseIn) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.dirs, in.Fh)
}

// FsyncDir has nothing to do: NFS servers make changes of directories stable before they answer.
func (fs *FS) FsyncDir(<-chan struct{}, *fuse.FsyncIn) fuse.Status { return fuse.OK }

func (fs *FS) dir(fh uint64) *dir {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.dirs[fh]
}

// ReadDir lists names.
func (fs *FS) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return fs.list(cancel, in, false, func(d *dir, e *nfs4.Entry) bool {
		return out.AddDirEntry(fs.dirent(e))
	})
}

// ReadDirPlus lists names with attributes.
func (fs *FS) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return fs.list(cancel, in, true, func(d *dir, e *nfs4.Entry) bool {
		slot := out.AddDirLookupEntry(fs.dirent(e))
		if slot == nil {
			return false
		}
		if len(e.Attr.FH) > 0 && e.Attr.Error == nfs4.StatusOK {
			n := fs.take(d.n.id, e.Name, e.Attr.FH)
			// These attributes were read some time ago: they are not compared with what is known.
			fs.entry(n, &e.Attr, ^uint64(0), slot)
		}
		return true
	})
}

func (fs *FS) dirent(e *nfs4.Entry) fuse.DirEntry {
	return fuse.DirEntry{Name: e.Name, Ino: fs.ino(&e.Attr), Mode: typeBits[e.Attr.Type], Off: e.Cookie}
}

// list hands out entries from the kernel's offset on until add says that the answer is full.
func (fs *FS) list(cancel <-chan struct{}, in *fuse.ReadIn, plus bool, add func(*dir, *nfs4.Entry) bool) fuse.Status {
	d := fs.dir(in.Fh)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off != in.Offset || d.plus != plus {
		d.entries, d.eof, d.off, d.plus = nil, false, in.Offset, plus
	}
	for added := false; ; {
		if len(d.entries) == 0 && d.off >= offDotDot {
			// What was added is good for an answer: the next part is fetched when it is asked for.
			if d.eof || added {
				return fuse.OK
			}
			if err := fs.fetch(cancel, in, d); err != nil {
				return status(err)
			}
			if len(d.entries) == 0 {
				continue
			}
		}
		if d.off < offDotDot {
			d.entries = dots(d)
		}
		e := &d.entries[0]
		if !fs.isHidden(d.n, e.Name) {
			if !add(d, e) {
				return fuse.OK
			}
			added = true
		}
		d.off = e.Cookie
		d.entries = d.entries[1:]
	}
}

// dots are the two entries that NFS does not send.
func dots(d *dir) []nfs4.Entry {
	list := []nfs4.Entry{
		{Cookie: offDot, Name: ".", Attr: nfs4.Attr{Type: nfs4.TypeDirectory}},
		{Cookie: offDotDot, Name: "..", Attr: nfs4.Attr{Type: nfs4.TypeDirectory}},
	}
	return list[d.off:]
}

func (fs *FS) fetch(cancel <-chan struct{}, in *fuse.ReadIn, d *dir) error {
	op := &nfs4.ReadDir{Cookie: d.off, Verifier: d.verifier, Count: dirChunk, Mask: nfs4.MaskNames}
	if d.off <= offDotDot {
		op.Cookie, op.Verifier = 0, nfs4.Verifier{}
	}
	if d.plus {
		op.Mask = nfs4.MaskReaddir
	}
	call := &nfs4.Call{Cred: d.cred, Ops: []nfs4.Op{nfs4.PutFH{FH: d.n.fh}, op}, Intr: interrupt(cancel, in.Pid)}
	err := fs.client.Do(call)
	if nfs4.Failed(err, nfs4.ErrNotSame) || nfs4.Failed(err, nfs4.ErrBadCookie) {
		// The folder has changed. Cookies go on to be good on most servers, and POSIX asks for no more.
		op.Verifier = nfs4.Verifier{}
		err = fs.client.Do(call)
	}
	if err == nil {
		d.entries, d.verifier, d.eof = op.Entries, op.Verifier, op.EOF
		if len(op.Entries) == 0 {
			d.eof = true
		}
	}
	return err
}
