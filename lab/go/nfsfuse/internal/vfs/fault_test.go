package vfs

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mlops.platform/lab/nfsfuse/internal/fakenfs"
)

// faults are what happens, once, to a request.
var faults = map[string]func(s *fakenfs.Server, op string) *fakenfs.Action{
	"none":            func(*fakenfs.Server, string) *fakenfs.Action { return nil },
	"request lost":    func(*fakenfs.Server, string) *fakenfs.Action { return &fakenfs.Action{Drop: true} },
	"answer lost":     func(*fakenfs.Server, string) *fakenfs.Action { return &fakenfs.Action{Mute: true} },
	"server busy":     func(_ *fakenfs.Server, op string) *fakenfs.Action { return &fakenfs.Action{Fail: 10008, At: op} },
	"server in grace": func(_ *fakenfs.Server, op string) *fakenfs.Action { return &fakenfs.Action{Fail: 10013, At: op} },
	"session lost": func(s *fakenfs.Server, _ string) *fakenfs.Action {
		return &fakenfs.Action{Before: s.LoseSessionsLocked}
	},
	"open state lost": func(s *fakenfs.Server, _ string) *fakenfs.Action { return &fakenfs.Action{Before: s.LoseOpensLocked} },
	"lease ran out":   func(s *fakenfs.Server, _ string) *fakenfs.Action { return &fakenfs.Action{Before: s.ExpireLocked} },
	"crash before":    func(s *fakenfs.Server, _ string) *fakenfs.Action { return &fakenfs.Action{Before: s.CrashLocked} },
	"crash after": func(s *fakenfs.Server, _ string) *fakenfs.Action {
		return &fakenfs.Action{Mute: true, After: s.CrashLocked}
	},
	"lease after": func(s *fakenfs.Server, _ string) *fakenfs.Action {
		return &fakenfs.Action{Mute: true, After: s.ExpireLocked}
	},
	"crash while busy": func(s *fakenfs.Server, op string) *fakenfs.Action {
		return &fakenfs.Action{Fail: 10008, At: op, After: s.CrashLocked}
	},
	"attributes denied": func(*fakenfs.Server, string) *fakenfs.Action { return &fakenfs.Action{Fail: 10006, At: "GETATTR"} },
}

// step is one call of the kernel and the operation that the fault strikes.
type step struct {
	name, op string
	run      func(k *kernel, f *fixture) error
	check    func(k *kernel, f *fixture) string // what is wrong afterwards
}

// fixture is what every step starts from: an open file "file", a file "other", an empty folder "dir".
type fixture struct {
	node, fh uint64
	s        *fakenfs.Server
}

func (f *fixture) content(name, want string) string {
	if got, found := f.s.Content(name); !found || got != want {
		return fmt.Sprintf("%s has %q (%v), want %q", name, got, found, want)
	}
	return ""
}

func (f *fixture) names(want ...string) string {
	if got := f.s.Names(); !slices.Equal(got, want) {
		return fmt.Sprintf("names are %q, want %q", got, want)
	}
	return ""
}

var steps = []step{
	{"mkdir", "CREATE", func(k *kernel, f *fixture) error { return k.mkdir("new") },
		func(k *kernel, f *fixture) string { return f.names("dir", "file", "new", "other") }},
	{"symlink", "CREATE", func(k *kernel, f *fixture) error { return k.symlink("x", "new") },
		func(k *kernel, f *fixture) string { return f.names("dir", "file", "new", "other") }},
	{"create", "OPEN", func(k *kernel, f *fixture) error { _, _, err := k.create("new", syscall.O_CREAT); return err },
		func(k *kernel, f *fixture) string { return f.content("new", "") }},
	{"create and write", "OPEN", createAndWrite(0),
		func(k *kernel, f *fixture) string { return f.content("new", "fresh") }},
	{"create exclusively and write", "OPEN", createAndWrite(syscall.O_EXCL),
		func(k *kernel, f *fixture) string { return f.content("new", "fresh") }},
	{"create over a file", "OPEN", func(k *kernel, f *fixture) error {
		_, _, err := k.create("other", syscall.O_EXCL)
		if !isErrno(err, syscall.EEXIST) {
			return fmt.Errorf("got %v, want EEXIST", err)
		}
		return nil
	}, func(k *kernel, f *fixture) string { return f.content("other", "other content") }},
	{"link", "LINK", func(k *kernel, f *fixture) error { return k.link(f.node, "new") },
		func(k *kernel, f *fixture) string { return f.content("new", "first content") }},
	{"rename", "RENAME", func(k *kernel, f *fixture) error { return k.rename("other", "new") },
		func(k *kernel, f *fixture) string { return f.names("dir", "file", "new") }},
	{"rename over an open file", "RENAME", func(k *kernel, f *fixture) error { return k.rename("other", "file") }, replaced},
	{"rename over an open file, link", "LINK", func(k *kernel, f *fixture) error { return k.rename("other", "file") }, replaced},
	{"unlink", "REMOVE", func(k *kernel, f *fixture) error { return k.unlink("other") },
		func(k *kernel, f *fixture) string { return f.names("dir", "file") }},
	{"unlink an open file", "RENAME", func(k *kernel, f *fixture) error { return k.unlink("file") }, unlinked},
	{"close an unlinked file", "REMOVE", func(k *kernel, f *fixture) error {
		if err := k.unlink("file"); err != nil {
			return err
		}
		k.release(f.node, f.fh)
		return nil
	}, func(k *kernel, f *fixture) string { return f.names("dir", "other") }},
	{"rmdir", "REMOVE", func(k *kernel, f *fixture) error { return k.rmdir("dir") },
		func(k *kernel, f *fixture) string { return f.names("file", "other") }},
	{"truncate", "SETATTR", func(k *kernel, f *fixture) error { return k.truncate(f.node, 5) },
		func(k *kernel, f *fixture) string { return f.content("file", "first") }},
	{"write", "WRITE", writeAndSync, written},
	{"write, commit", "COMMIT", writeAndSync, written},
	{"append", "WRITE", func(k *kernel, f *fixture) error { return appendAndSync(k, f) },
		func(k *kernel, f *fixture) string { return f.content("file", "first content and more") }},
	{"read", "READ", func(k *kernel, f *fixture) error {
		got, err := k.read(f.node, f.fh)
		if err == nil && got != "first content" {
			err = fmt.Errorf("read %q", got)
		}
		return err
	}, nothing},
	{"open again", "OPEN", func(k *kernel, f *fixture) error {
		e, err := k.lookup(rootID, "other")
		if err != nil {
			return err
		}
		fh, err := k.open(e.NodeId, syscall.O_RDONLY)
		if err != nil {
			return err
		}
		if got, err := k.read(e.NodeId, fh); err != nil || got != "other content" {
			return fmt.Errorf("read %q: %v", got, err)
		}
		return nil
	}, nothing},
	{"close", "CLOSE", func(k *kernel, f *fixture) error { k.release(f.node, f.fh); return nil },
		func(k *kernel, f *fixture) string { return f.content("file", "first content") }},
	{"list", "READDIR", func(k *kernel, f *fixture) error {
		got, err := k.list()
		if err == nil && !slices.Equal(got, []string{"dir", "file", "other"}) {
			err = fmt.Errorf("listed %q", got)
		}
		return err
	}, nothing},
}

func nothing(*kernel, *fixture) string { return "" }

func createAndWrite(flags uint32) func(*kernel, *fixture) error {
	return func(k *kernel, f *fixture) error {
		node, fh, err := k.create("new", flags)
		if err != nil {
			return err
		}
		if err := k.write(node, fh, 0, "fresh"); err != nil {
			return err
		}
		return k.fsync(node, fh)
	}
}

func writeAndSync(k *kernel, f *fixture) error {
	if err := k.write(f.node, f.fh, 6, "CONTENT, longer"); err != nil {
		return err
	}
	return k.fsync(f.node, f.fh)
}

func appendAndSync(k *kernel, f *fixture) error {
	file := k.fs.file(f.fh)
	if _, err := file.n.store.write(file, uint64(len("first content")), []byte(" and more"), true, nil); err != nil {
		return err
	}
	return k.fsync(f.node, f.fh)
}

func written(k *kernel, f *fixture) string {
	f.s.Crash()
	return f.content("file", "first CONTENT, longer")
}

func replaced(k *kernel, f *fixture) string {
	if wrong := f.content("file", "other content"); wrong != "" {
		return wrong
	}
	if got, err := k.read(f.node, f.fh); err != nil || got != "first content" {
		return fmt.Sprintf("the open file reads %q: %v", got, err)
	}
	k.release(f.node, f.fh)
	return f.names("dir", "file")
}

func unlinked(k *kernel, f *fixture) string {
	if got, err := k.list(); err != nil || !slices.Equal(got, []string{"dir", "other"}) {
		return fmt.Sprintf("listed %q: %v", got, err)
	}
	if got, err := k.read(f.node, f.fh); err != nil || got != "first content" {
		return fmt.Sprintf("the open file reads %q: %v", got, err)
	}
	return ""
}

// TestEveryOperationSurvivesEveryFault strikes each operation with each fault.
func TestEveryOperationSurvivesEveryFault(t *testing.T) {
	for _, st := range steps {
		for what, fault := range faults {
			t.Run(st.name+"/"+what, func(t *testing.T) {
				t.Parallel()
				s := fakenfs.New(t)
				k := newKernel(t, s)
				f := &fixture{s: s}
				k.must("mkdir", k.mkdir("dir"))
				f.node, f.fh = k.file("file", "first content")
				node, fh := k.file("other", "other content")
				k.release(node, fh)
				s.Fault(first(st.op, func() *fakenfs.Action { return orNothing(fault(s, st.op)) }))
				k.must(st.name, st.run(k, f))
				if wrong := st.check(k, f); wrong != "" {
					t.Error(wrong)
				}
			})
		}
	}
}

// once applies a fault to the first request that it wants.
func once(fault func(*fakenfs.Request) *fakenfs.Action) func(*fakenfs.Request) *fakenfs.Action {
	done := false
	return func(r *fakenfs.Request) *fakenfs.Action {
		if done {
			return nil
		}
		act := fault(r)
		done = act != nil
		return act
	}
}

// first is a fault of the first request with the operation.
func first(op string, act func() *fakenfs.Action) func(*fakenfs.Request) *fakenfs.Action {
	return once(func(r *fakenfs.Request) *fakenfs.Action {
		if !r.Has(op) {
			return nil
		}
		return act()
	})
}

func orNothing(act *fakenfs.Action) *fakenfs.Action {
	if act == nil {
		return &fakenfs.Action{}
	}
	return act
}

func TestUnstableDataSurvivesCrashes(t *testing.T) {
	s := fakenfs.New(t)
	k := newKernel(t, s)
	node, fh, err := k.create("f", 0)
	k.must("create", err)
	model := make([]byte, 0, 1<<16)
	for i := range 300 {
		switch {
		case i%40 == 39:
			s.Crash()
		case i%17 == 16:
			size := len(model) / 2
			k.must("truncate", k.truncate(node, uint64(size)))
			model = model[:size]
		case i%29 == 28:
			got, err := k.read(node, fh)
			k.must("read", err)
			if got != string(model) {
				t.Fatalf("step %d: read differs from what was written", i)
			}
		default:
			off := (i * 7919) % (len(model) + 100)
			data := strings.Repeat(string(rune('a'+i%26)), 1+i*31%900)
			k.must("write", k.write(node, fh, uint64(off), data))
			for len(model) < off+len(data) {
				model = append(model, 0)
			}
			copy(model[off:], data)
		}
	}
	k.must("fsync", k.fsync(node, fh))
	s.Crash()
	if got, _ := s.Content("f"); got != string(model) {
		t.Error("what fsync confirmed is not there after a crash")
	}
}

func TestCrashWhileWritingAgain(t *testing.T) {
	s := fakenfs.New(t)
	k := newKernel(t, s)
	node, fh, err := k.create("f", 0)
	k.must("create", err)
	want := ""
	for i := range 10 {
		line := fmt.Sprintf("line %d\n", i)
		k.must("write", k.write(node, fh, uint64(len(want)), line))
		want += line
	}
	s.Crash()
	writes, crashes := 0, 0
	s.Fault(func(r *fakenfs.Request) *fakenfs.Action {
		if !r.Has("WRITE") || crashes == 3 {
			return nil
		}
		if writes++; writes%4 == 0 {
			crashes++
			return &fakenfs.Action{Before: s.CrashLocked}
		}
		return nil
	})
	k.must("fsync", k.fsync(node, fh))
	s.Crash()
	if got, _ := s.Content("f"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStableDataIsNotWrittenAgain(t *testing.T) {
	s := fakenfs.New(t)
	k := newKernel(t, s)
	node, fh := k.file("f", "content")
	s.Crash()
	before := s.Count("WRITE")
	k.must("fsync", k.fsync(node, fh))
	if _, err := k.read(node, fh); err != nil {
		t.Error(err)
	}
	if n := s.Count("WRITE") - before; n != 0 {
		t.Errorf("%d writes of what was stable", n)
	}
}

func TestManyUnstableBytesAreCommitted(t *testing.T) {
	s := fakenfs.New(t)
	k := newKernel(t, s)
	node, fh, err := k.create("f", 0)
	k.must("create", err)
	block := strings.Repeat("x", 1<<20)
	for i := range 80 {
		k.must("write", k.write(node, fh, uint64(i%4)<<20+uint64(i)*100, block))
		k.must("write", k.write(node, fh, uint64(i)<<20, block))
		if n := k.fs.Unstable(); n > waitAt+2<<20 {
			t.Fatalf("%d bytes are kept", n)
		}
	}
	if s.Count("COMMIT") == 0 {
		t.Error("nothing was committed")
	}
}

func TestOpenFilesAreWonBack(t *testing.T) {
	s := fakenfs.New(t)
	k := newKernel(t, s)
	type open struct{ node, fh uint64 }
	var files []open
	for i := range 20 {
		node, fh := k.file(fmt.Sprint("f", i), fmt.Sprint("content ", i))
		files = append(files, open{node, fh})
	}
	for _, lose := range []func(){s.Crash, s.Expire, s.Disconnect} {
		before := s.Opens()
		lose()
		for i, f := range files {
			got, err := k.read(f.node, f.fh)
			k.must("read", err)
			if want := fmt.Sprint("content ", i); got != want {
				t.Errorf("read %q, want %q", got, want)
			}
		}
		if got := s.Opens(); got != before {
			t.Errorf("%d open states, want %d", got, before)
		}
	}
	for _, f := range files {
		k.release(f.node, f.fh)
	}
	if got := s.Opens(); got != 0 {
		t.Errorf("%d open states are left", got)
	}
}

func TestAppendGoesToTheRealEnd(t *testing.T) {
	s := fakenfs.New(t)
	k := newKernel(t, s)
	_, fh := k.file("f", "mine")
	s.Put("f", "mine, and another client's")
	f := k.fs.file(fh)
	if _, err := f.n.store.write(f, 4, []byte("!"), true, nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Content("f"); got != "mine, and another client's!" {
		t.Errorf("got %q", got)
	}
}

func TestAttributesAfterOwnAndForeignChanges(t *testing.T) {
	s := fakenfs.New(t)
	k := newKernel(t, s)
	node, fh := k.file("f", "12345")
	k.must("write", k.write(node, fh, 5, "678"))
	before := s.Count("GETATTR")
	out, err := k.stat(node)
	k.must("stat", err)
	if out.Size != 8 {
		t.Errorf("size %d after an own write, want 8", out.Size)
	}
	if n := s.Count("GETATTR") - before; n != 0 {
		t.Errorf("%d requests for attributes that the write had answered", n)
	}
	k.must("truncate", k.truncate(node, 3))
	if out, _ := k.stat(node); out.Size != 3 {
		t.Errorf("size %d after truncation, want 3", out.Size)
	}
	n := k.fs.node(node)
	n.mu.Lock()
	n.cache.at = n.cache.at.Add(-2 * attrValid)
	n.mu.Unlock()
	s.Put("f", "changed by another client")
	if out, _ := k.stat(node); out.Size != 25 {
		t.Errorf("size %d after a foreign change, want 25", out.Size)
	}
}
