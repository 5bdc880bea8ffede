package vfs

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/fakenfs"
	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// kernel calls a filesystem as the kernel does, by paths of one folder.
type kernel struct {
	t  testing.TB
	fs *FS
}

// newKernel connects a filesystem to a fake server.
func newKernel(t testing.TB, s *fakenfs.Server) *kernel {
	t.Helper()
	c := nfs4.New(nfs4.Config{Addr: s.Addr(), OwnerID: t.Name(), Machine: "test", Silent: 2 * time.Second, Logf: quiet(t)})
	t.Cleanup(c.Close)
	place, err := c.Resolve("/export", c.Root(), nil)
	if err != nil {
		t.Fatal(err)
	}
	fs := NewFS(c, place.FH, place.Attr, Options{MaxRead: 1 << 20, MaxWrite: 1 << 20, Logf: quiet(t)})
	t.Cleanup(fs.OnUnmount)
	return &kernel{t: t, fs: fs}
}

// quiet logs only while the test runs: clients still talk for a moment when it has ended.
func quiet(t testing.TB) func(string, ...any) {
	var mu sync.Mutex
	ended := false
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		ended = true
	})
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			t.Logf(format, args...)
		}
	}
}

func header(node uint64) fuse.InHeader { return fuse.InHeader{NodeId: node} }

func result(st fuse.Status) error {
	if st == fuse.OK {
		return nil
	}
	return syscall.Errno(st)
}

func (k *kernel) must(what string, err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatalf("%s: %v", what, err)
	}
}

func (k *kernel) lookup(dir uint64, name string) (*fuse.EntryOut, error) {
	var out fuse.EntryOut
	h := header(dir)
	return &out, result(k.fs.Lookup(nil, &h, name, &out))
}

func (k *kernel) create(name string, flags uint32) (node, fh uint64, err error) {
	var out fuse.CreateOut
	st := k.fs.Create(nil, &fuse.CreateIn{InHeader: header(rootID), Flags: flags | syscall.O_RDWR, Mode: 0o644}, name, &out)
	return out.NodeId, out.Fh, result(st)
}

func (k *kernel) open(node uint64, flags uint32) (uint64, error) {
	var out fuse.OpenOut
	st := k.fs.Open(nil, &fuse.OpenIn{InHeader: header(node), Flags: flags}, &out)
	return out.Fh, result(st)
}

func (k *kernel) write(node, fh, off uint64, data string) error {
	n, st := k.fs.Write(nil, &fuse.WriteIn{InHeader: header(node), Fh: fh, Offset: off, Size: uint32(len(data))}, []byte(data))
	if st == fuse.OK && int(n) != len(data) {
		return io.ErrShortWrite
	}
	return result(st)
}

func (k *kernel) read(node, fh uint64) (string, error) {
	buf := make([]byte, 1<<20)
	res, st := k.fs.Read(nil, &fuse.ReadIn{InHeader: header(node), Fh: fh, Size: 1 << 20}, buf)
	if st != fuse.OK {
		return "", result(st)
	}
	defer res.Done()
	data, _ := res.Bytes(buf)
	return string(data), nil
}

func (k *kernel) fsync(node, fh uint64) error {
	return result(k.fs.Fsync(nil, &fuse.FsyncIn{InHeader: header(node), Fh: fh}))
}

func (k *kernel) flush(node, fh uint64) error {
	return result(k.fs.Flush(nil, &fuse.FlushIn{InHeader: header(node), Fh: fh}))
}

func (k *kernel) truncate(node, size uint64) error {
	in := &fuse.SetAttrIn{}
	in.InHeader, in.Valid, in.Size = header(node), fuse.FATTR_SIZE, size
	return result(k.fs.SetAttr(nil, in, &fuse.AttrOut{}))
}

func (k *kernel) stat(node uint64) (*fuse.AttrOut, error) {
	var out fuse.AttrOut
	return &out, result(k.fs.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(node)}, &out))
}

func (k *kernel) release(node, fh uint64) {
	k.fs.Release(nil, &fuse.ReleaseIn{InHeader: header(node), Fh: fh})
	k.fs.Drain(nil)
}

func (k *kernel) unlink(name string) error {
	h := header(rootID)
	return result(k.fs.Unlink(nil, &h, name))
}

func (k *kernel) rmdir(name string) error {
	h := header(rootID)
	return result(k.fs.Rmdir(nil, &h, name))
}

func (k *kernel) mkdir(name string) error {
	return result(k.fs.Mkdir(nil, &fuse.MkdirIn{InHeader: header(rootID), Mode: 0o755}, name, &fuse.EntryOut{}))
}

func (k *kernel) symlink(target, name string) error {
	h := header(rootID)
	return result(k.fs.Symlink(nil, &h, target, name, &fuse.EntryOut{}))
}

func (k *kernel) link(node uint64, name string) error {
	return result(k.fs.Link(nil, &fuse.LinkIn{InHeader: header(rootID), Oldnodeid: node}, name, &fuse.EntryOut{}))
}

func (k *kernel) rename(from, to string) error {
	return result(k.fs.Rename(nil, &fuse.RenameIn{InHeader: header(rootID), Newdir: rootID}, from, to))
}

func (k *kernel) list() ([]string, error) {
	var open fuse.OpenOut
	if err := result(k.fs.OpenDir(nil, &fuse.OpenIn{InHeader: header(rootID)}, &open)); err != nil {
		return nil, err
	}
	defer k.fs.ReleaseDir(&fuse.ReleaseIn{Fh: open.Fh})
	names, off := []string{}, uint64(0)
	for {
		buf := make([]byte, 300)
		out := fuse.NewDirEntryList(buf, off)
		in := &fuse.ReadIn{InHeader: header(rootID), Fh: open.Fh, Offset: off}
		if err := result(k.fs.ReadDir(nil, in, out)); err != nil {
			return nil, err
		}
		part := out.Bytes()
		if len(part) == 0 {
			slices.Sort(names)
			return names, nil
		}
		for len(part) > 0 {
			// A fuse_dirent: inode, offset, length of the name, type, name.
			off = binary.NativeEndian.Uint64(part[8:])
			length := int(binary.NativeEndian.Uint32(part[16:]))
			name := string(part[24 : 24+length])
			part = part[(24+length+7)&^7:]
			if name != "." && name != ".." {
				names = append(names, name)
			}
		}
	}
}

// file makes a file with synced content and returns it open.
func (k *kernel) file(name, content string) (node, fh uint64) {
	k.t.Helper()
	node, fh, err := k.create(name, 0)
	k.must("create "+name, err)
	k.must("write "+name, k.write(node, fh, 0, content))
	k.must("fsync "+name, k.fsync(node, fh))
	return node, fh
}

func isErrno(err error, want syscall.Errno) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && errno == want
}
