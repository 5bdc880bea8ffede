package vfs

import (
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
	"mlops.platform/lab/nfsfuse/internal/rpc"
)

// node is a file of the server that the kernel knows.
type node struct {
	id      uint64
	fh      nfs4.FH
	lookups uint64        // under FS.mu
	names   map[dent]bool // under FS.mu
	naming  gate          // shared: opening and closing; alone: taking the name away
	mu      sync.Mutex    // guards what follows
	opens   map[openKey]*openRef
	handles int
	silly   *silly
	cache   attrCache

	store writeStore
}

type openKey struct {
	cred  *rpc.Cred
	share uint32
}

// openRef is open state that several handles share.
type openRef struct {
	key  openKey
	open *nfs4.Open
	refs int
}

// attrCache holds the attributes of a file and tells own changes from those of others.
type attrCache struct {
	attr    nfs4.Attr
	at      time.Time // zero: not valid
	known   bool      // attr.Change and attr.Size are those of the kernel's cached data
	adopt   bool      // the next attributes are taken as own changes
	running int       // own changes in flight
	moves   uint64    // own changes begun or ended
}

// beginChange notes that an operation starts that changes the file.
func (n *node) beginChange() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cache.running++
	n.cache.moves++
	n.cache.at = time.Time{}
	return n.cache.moves
}

// endChange takes the attributes after an own change. Nil means that they are not known.
func (n *node) endChange(token uint64, a *nfs4.Attr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.cache
	alone := c.moves == token && c.running == 1
	c.running--
	c.moves++
	switch {
	case a == nil:
		c.adopt = true
	case alone:
		c.attr, c.at, c.known = *a, time.Now(), true
	case c.known && a.Change > c.attr.Change:
		c.attr.Change = a.Change
		c.attr.Size = max(c.attr.Size, a.Size)
	}
}

// watchChange starts an operation that only looks.
func (n *node) watchChange() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cache.moves
}

// observe takes attributes that were read. foreign means that somebody else changed the data; resized that the kernel will see it
// by the size.
func (n *node) observe(token uint64, a *nfs4.Attr) (foreign, resized bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.cache
	if c.running > 0 || c.moves != token {
		return false, false
	}
	foreign = c.known && !c.adopt && c.attr.Change != a.Change
	resized = c.known && c.attr.Size != a.Size
	c.attr, c.at, c.known, c.adopt = *a, time.Now(), true, false
	return foreign, resized
}

// touched notes an own change of the inode that is no change of the data.
func (n *node) touched() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cache.at = time.Time{}
	n.cache.adopt = true
	n.cache.moves++
}

// fresh returns attributes that may still be used, and for how long.
func (n *node) fresh(valid time.Duration) (nfs4.Attr, time.Duration, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.cache
	left := valid - time.Since(c.at)
	return c.attr, left, left > 0 && c.running == 0
}

var typeBits = map[nfs4.FileType]uint32{
	nfs4.TypeRegular: syscall.S_IFREG, nfs4.TypeDirectory: syscall.S_IFDIR, nfs4.TypeBlock: syscall.S_IFBLK,
	nfs4.TypeChar: syscall.S_IFCHR, nfs4.TypeSymlink: syscall.S_IFLNK, nfs4.TypeSocket: syscall.S_IFSOCK,
	nfs4.TypeFIFO: syscall.S_IFIFO,
}

// fill translates attributes for the kernel.
func (fs *FS) fill(n *node, a *nfs4.Attr, out *fuse.Attr) {
	out.Ino = fs.ino(a)
	out.Size = a.Size
	out.Blocks = (a.Used + 511) / 512
	out.SetTimes(&a.Atime, &a.Mtime, &a.Ctime)
	out.Mode = typeBits[a.Type] | a.Mode&07777
	out.Nlink = a.Nlink
	out.Uid, out.Gid = a.UID, a.GID
	out.Rdev = makedev(a.Major, a.Minor)
	out.Blksize = fs.opts.MaxWrite
	if n != nil {
		out.Size = n.store.size(a.Size)
		n.mu.Lock()
		if n.silly != nil && out.Nlink > 0 {
			out.Nlink--
		}
		n.mu.Unlock()
	}
}

// ino keeps files of different filesystems of one export apart.
func (fs *FS) ino(a *nfs4.Attr) uint64 {
	if a.FSID == fs.fsid {
		return max(a.Fileid, 1) // 0 would mean that there is no file
	}
	return a.Fileid ^ (a.FSID.Major*0x9e3779b97f4a7c15 ^ a.FSID.Minor*0xc2b2ae3d27d4eb4f)
}

func makedev(major, minor uint32) uint32 {
	return minor&0xff | (major&0xfff)<<8 | (minor&^0xff)<<12
}

func splitdev(dev uint32) (major, minor uint32) {
	return dev >> 8 & 0xfff, dev&0xff | dev>>12&^0xff
}
