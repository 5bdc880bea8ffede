// Package vfs makes a filesystem of the kernel (FUSE) out of an NFSv4.1 client.
package vfs

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

const (
	rootID    = 1
	attrValid = time.Second
	maxUnsaid = 256 << 20 // unstable bytes of all files together, above which writes are made stable at once
)

// Options of a filesystem.
type Options struct {
	Source            string // what `mount` shows as device
	MaxRead, MaxWrite uint32
	Logf              func(format string, args ...any)
}

// FS is one export. It implements fuse.RawFileSystem.
type FS struct {
	fuse.RawFileSystem
	opts   Options
	client *nfs4.Client
	server *fuse.Server
	fsid   nfs4.FSID
	creds  credCache

	mu      sync.Mutex
	nodes   map[uint64]*node
	byFH    map[string]*node
	dents   map[dent]*node
	files   map[uint64]*file
	dirs    map[uint64]*dir
	lastID  uint64
	lastFH  uint64
	hidden  map[uint64]map[string]*node // silly names by directory
	dirty   map[*node]bool
	closing tracker
	unsaid  atomic.Int64
	stop    chan struct{}
	dirtied chan struct{}
}

type dent struct {
	parent uint64
	name   string
}

// NewFS makes a filesystem with the given root.
func NewFS(c *nfs4.Client, root nfs4.FH, attr *nfs4.Attr, opts Options) *FS {
	fs := &FS{
		RawFileSystem: fuse.NewDefaultRawFileSystem(), opts: opts, client: c, fsid: attr.FSID,
		nodes: map[uint64]*node{}, byFH: map[string]*node{}, dents: map[dent]*node{}, files: map[uint64]*file{},
		dirs: map[uint64]*dir{}, hidden: map[uint64]map[string]*node{}, dirty: map[*node]bool{}, lastID: rootID,
		stop: make(chan struct{}), dirtied: make(chan struct{}, 1),
	}
	fs.creds.client = c
	go fs.flush()
	n := fs.newNode(rootID, root)
	n.lookups = 1
	fs.nodes[rootID], fs.byFH[string(root)] = n, n
	return fs
}

func (fs *FS) newNode(id uint64, fh nfs4.FH) *node {
	n := &node{id: id, fh: fh, names: map[dent]bool{}, opens: map[openKey]*openRef{}}
	n.store.fs, n.store.node = fs, n
	return n
}

func (fs *FS) String() string { return "nfs" }

// Init is called when the kernel has mounted the filesystem.
func (fs *FS) Init(s *fuse.Server) { fs.server = s }

func (fs *FS) logf(format string, args ...any) {
	if fs.opts.Logf != nil {
		fs.opts.Logf(format, args...)
	}
}

// node returns what the kernel calls by a number. The kernel never uses one that it has forgotten.
func (fs *FS) node(id uint64) *node {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.nodes[id]
}

// known returns the node of a handle without a reference for the kernel, or nil.
func (fs *FS) known(fh nfs4.FH) *node {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.byFH[string(fh)]
}

// take returns the node of a handle with a reference for the kernel, under a name in a directory.
func (fs *FS) take(parent uint64, name string, fh nfs4.FH) *node {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n := fs.byFH[string(fh)]
	if n == nil {
		fs.lastID++
		n = fs.newNode(fs.lastID, fh)
		fs.nodes[n.id], fs.byFH[string(fh)] = n, n
	}
	n.lookups++
	fs.bind(dent{parent, name}, n)
	return n
}

// bind notes that a name leads to a node; nil means to nothing. FS.mu is held.
func (fs *FS) bind(d dent, n *node) {
	if old := fs.dents[d]; old != nil {
		delete(old.names, d)
	}
	if n == nil {
		delete(fs.dents, d)
		return
	}
	fs.dents[d] = n
	n.names[d] = true
}

func (fs *FS) rebind(d dent, n *node) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.bind(d, n)
}

// Forget drops references of the kernel.
func (fs *FS) Forget(id, count uint64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n := fs.nodes[id]
	if n == nil || id == rootID {
		return
	}
	if n.lookups -= min(count, n.lookups); n.lookups > 0 {
		return
	}
	delete(fs.nodes, id)
	if fs.byFH[string(n.fh)] == n {
		delete(fs.byFH, string(n.fh))
	}
	for d := range n.names {
		delete(fs.dents, d)
	}
	delete(fs.hidden, id)
}

// entry answers with a node, and looks whether its data was changed by somebody else.
func (fs *FS) entry(n *node, a *nfs4.Attr, token uint64, out *fuse.EntryOut) {
	fs.observe(n, token, a)
	out.NodeId = n.id
	out.SetEntryTimeout(attrValid)
	out.SetAttrTimeout(attrValid)
	fs.fill(n, a, &out.Attr)
}

// observe takes attributes and makes the kernel drop data that somebody else has changed. The kernel itself drops it when
// the size changed.
func (fs *FS) observe(n *node, token uint64, a *nfs4.Attr) {
	foreign, resized := n.observe(token, a)
	if foreign && !resized && a.Type == nfs4.TypeRegular {
		fs.dropCached(n)
	}
}

// dropCached makes the kernel forget the data of a file.
func (fs *FS) dropCached(n *node) {
	if fs.server != nil {
		fs.server.InodeNotify(n.id, 0, 0)
	}
}

func status(err error) fuse.Status { return fuse.Status(nfs4.Errno(err)) }

// call runs operations on behalf of a request of the kernel.
func (fs *FS) call(cancel <-chan struct{}, h *fuse.InHeader, ops ...nfs4.Op) *nfs4.Call {
	return &nfs4.Call{Cred: fs.creds.of(&h.Caller), Ops: ops, Intr: interrupt(cancel, h.Pid)}
}
