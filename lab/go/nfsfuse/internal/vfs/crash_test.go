package vfs

import (
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/fakenfs"
)

// append writes at the end of a file as the kernel does, which knows its size.
func (k *kernel) append(node, fh, off uint64, data string) error {
	in := &fuse.WriteIn{InHeader: header(node), Fh: fh, Offset: off, Size: uint32(len(data)), Flags: syscall.O_APPEND}
	n, st := k.fs.Write(nil, in, []byte(data))
	if st == fuse.OK && int(n) != len(data) {
		k.t.Errorf("%d of %d bytes were appended", n, len(data))
	}
	return result(st)
}

// TestAppendsAfterACrashComeBehindWhatTheServerLost appends to what a crash has taken from the server.
func TestAppendsAfterACrashComeBehindWhatTheServerLost(t *testing.T) {
	for name, begin := range map[string]string{"in a new file": "", "behind stable data": "stable, "} {
		t.Run(name, func(t *testing.T) {
			s := fakenfs.New(t)
			k := newKernel(t, s)
			node, fh := k.file("f", begin)
			want := begin
			for _, part := range []string{"one, ", "two, ", "three"} {
				k.must("append", k.append(node, fh, uint64(len(want)), part))
				want += part
				s.Crash()
			}
			k.must("fsync", k.fsync(node, fh))
			s.Crash()
			if got, _ := s.Content("f"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestAnAppendIsMadeOnceWhereTheCrashComesWithIt loses the answer, or what the append wrote, or both.
func TestAnAppendIsMadeOnceWhereTheCrashComesWithIt(t *testing.T) {
	for what, act := range map[string]func(*fakenfs.Server) *fakenfs.Action{
		"before": func(s *fakenfs.Server) *fakenfs.Action { return &fakenfs.Action{Before: s.CrashLocked} },
		"after":  func(s *fakenfs.Server) *fakenfs.Action { return &fakenfs.Action{Mute: true, After: s.CrashLocked} },
	} {
		t.Run(what, func(t *testing.T) {
			s := fakenfs.New(t)
			k := newKernel(t, s)
			node, fh := k.file("f", "stable, ")
			k.must("append", k.append(node, fh, 8, "one, "))
			s.Fault(first("WRITE", func() *fakenfs.Action { return act(s) }))
			k.must("append", k.append(node, fh, 13, "two"))
			k.must("fsync", k.fsync(node, fh))
			s.Crash()
			if got, _ := s.Content("f"); got != "stable, one, two" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestNoSizeLacksWhatACrashTook asks in each way that gives the kernel a size: it would append there.
func TestNoSizeLacksWhatACrashTook(t *testing.T) {
	content := strings.Repeat("x", 5000)
	for how, ask := range map[string]func(k *kernel, node uint64) (uint64, error){
		"lookup": func(k *kernel, _ uint64) (uint64, error) {
			out, err := k.lookup(rootID, "f")
			return out.Size, err
		},
		"stat": func(k *kernel, node uint64) (uint64, error) {
			out, err := k.stat(node)
			return out.Size, err
		},
		"chmod": func(k *kernel, node uint64) (uint64, error) {
			in, out := &fuse.SetAttrIn{}, fuse.AttrOut{}
			in.InHeader, in.Valid, in.Mode = header(node), fuse.FATTR_MODE, 0o600
			err := result(k.fs.SetAttr(nil, in, &out))
			return out.Size, err
		},
	} {
		t.Run(how, func(t *testing.T) {
			s := fakenfs.New(t)
			k := newKernel(t, s)
			node, fh, err := k.create("f", 0)
			k.must("create", err)
			k.must("write", k.write(node, fh, 0, content))
			s.Crash()
			for _, when := range []string{"before", "after"} {
				size, err := ask(k, node)
				k.must(how, err)
				if size != uint64(len(content)) {
					t.Errorf("size %d %s it was written again, want %d", size, when, len(content))
				}
				k.must("fsync", k.fsync(node, fh))
			}
			if out, err := k.stat(node); err != nil || out.Size != uint64(len(content)) {
				t.Errorf("size %d at last: %v", out.Size, err)
			}
		})
	}
}

// TestAReadThatWaitsForTheServerSeesWhatTheServerLost crashes the server when the read is on its way.
func TestAReadThatWaitsForTheServerSeesWhatTheServerLost(t *testing.T) {
	s := fakenfs.New(t)
	k := newKernel(t, s)
	node, fh := k.file("f", "stable, ")
	k.must("write", k.write(node, fh, 8, "not yet"))
	s.Fault(first("READ", func() *fakenfs.Action { return &fakenfs.Action{Before: s.CrashLocked} }))
	got, err := k.read(node, fh)
	k.must("read", err)
	if got != "stable, not yet" {
		t.Errorf("read %q", got)
	}
}
