//go:build ganesha

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWriteReadTruncate(t *testing.T) {
	dir := work(t)
	p := dir + "/f"
	must(t, os.WriteFile(p, []byte("hello world"), 0o640))
	f, err := os.OpenFile(p, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(5))
	_, err = f.WriteAt([]byte("!"), 10)
	must(t, err)
	got, err := os.ReadFile(p)
	must(t, err)
	want(t, "content", string(got), "hello\x00\x00\x00\x00\x00!")
	must(t, os.Truncate(p, 1<<20))
	st, err := os.Stat(p)
	must(t, err)
	want(t, "size", st.Size(), 1<<20)
	want(t, "mode", st.Mode().Perm(), 0o640)
	_, err = os.OpenFile(p, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	wantErr(t, "O_EXCL", err, syscall.EEXIST)
	g, err := os.OpenFile(p, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	must(t, err)
	must(t, g.Close())
	st, err = f.Stat()
	must(t, err)
	want(t, "size after O_TRUNC", st.Size(), 0)
	must(t, f.Sync())
}

func TestReadOnlyModeOfTheCreator(t *testing.T) {
	dir := work(t)
	f, err := os.OpenFile(dir+"/f", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o400)
	must(t, err)
	_, err = f.WriteString("written by the creator")
	must(t, err)
	must(t, f.Close())
	want(t, "another user", helperErrno(t, helper(1234, 1234, nil, "read", dir+"/f")), syscall.EACCES)
}

func TestAppendFromManyProcessesAndMounts(t *testing.T) {
	dir := work(t)
	other := mount(t, plain)
	second := filepath.Join(other, filepath.Base(dir))
	const writers, lines = 4, 500
	done := make(chan error, writers)
	for w := range writers {
		place := []string{dir, second}[w%2]
		cmd := helper(0, 0, nil, "append", place+"/log", fmt.Sprint("w", w), fmt.Sprint(lines))
		must(t, cmd.Start())
		go func() { done <- cmd.Wait() }()
	}
	for range writers {
		must(t, <-done)
	}
	text, err := os.ReadFile(onServer(dir + "/log"))
	must(t, err)
	seen := map[string]int{}
	for line := range strings.Lines(string(text)) {
		seen[strings.TrimSpace(line)]++
	}
	want(t, "different lines", len(seen), writers*lines)
	st, err := os.Stat(second + "/log")
	must(t, err)
	want(t, "size", st.Size(), len(text))
}

func TestRenameOverAnOpenFile(t *testing.T) {
	dir := work(t)
	must(t, os.WriteFile(dir+"/a", []byte("new"), 0o644))
	must(t, os.WriteFile(dir+"/b", []byte("old"), 0o644))
	f, err := os.OpenFile(dir+"/b", os.O_RDWR, 0)
	must(t, err)
	must(t, os.Rename(dir+"/a", dir+"/b"))
	_, err = f.WriteAt([]byte("OLD"), 0)
	must(t, err)
	got, err := io.ReadAll(f)
	must(t, err)
	want(t, "open file", string(got), "OLD")
	var st unix.Stat_t
	must(t, unix.Fstat(int(f.Fd()), &st))
	want(t, "links", st.Nlink, 0)
	got, err = os.ReadFile(dir + "/b")
	must(t, err)
	want(t, "name", string(got), "new")
	want(t, "list", names(t, dir), []string{"b"})
	must(t, f.Close())
	emptyOfHidden(t, dir)
}

func TestRenameNeverLosesTheName(t *testing.T) {
	dir := work(t)
	must(t, os.WriteFile(dir+"/conf", []byte("0"), 0o644))
	open, err := os.Open(dir + "/conf")
	must(t, err)
	defer open.Close()
	stop, missing := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(missing)
		for {
			select {
			case <-stop:
				return
			default:
			}
			// The server's own view: no cache of ours hides a gap.
			if _, err := os.Stat(onServer(dir + "/conf")); err != nil {
				missing <- err
				return
			}
		}
	}()
	for i := range 200 {
		must(t, os.WriteFile(dir+"/tmp", fmt.Append(nil, i), 0o644))
		held, err := os.Open(dir + "/conf")
		must(t, err)
		must(t, os.Rename(dir+"/tmp", dir+"/conf"))
		must(t, held.Close())
	}
	close(stop)
	must(t, <-missing)
}

// emptyOfHidden waits until no hidden file is left on the server: they go after the last close, which nobody waits for.
func emptyOfHidden(t *testing.T, dir string) {
	t.Helper()
	must(t, eventually(10*time.Second, func() error {
		entries, err := os.ReadDir(onServer(dir))
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".nfs") {
				return fmt.Errorf("%s is left", e.Name())
			}
		}
		return err
	}))
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	slices.Sort(list)
	return list
}

func TestUnlinkedOpenFile(t *testing.T) {
	dir := work(t)
	must(t, os.MkdirAll(dir+"/x/y", 0o755))
	f, err := os.OpenFile(dir+"/x/y/f", os.O_CREATE|os.O_RDWR, 0o600)
	must(t, err)
	_, err = f.WriteString("still here")
	must(t, err)
	must(t, os.Remove(dir+"/x/y/f"))
	_, err = os.Stat(dir + "/x/y/f")
	wantErr(t, "name", err, syscall.ENOENT)
	want(t, "list", names(t, dir+"/x/y"), []string{})
	must(t, os.RemoveAll(dir+"/x"))
	_, err = os.Stat(dir + "/x")
	wantErr(t, "folder", err, syscall.ENOENT)
	got := make([]byte, 10)
	_, err = f.ReadAt(got, 0)
	must(t, err)
	want(t, "content", string(got), "still here")
	_, err = f.WriteAt([]byte("and more"), 10)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
	emptyOfHidden(t, dir)
}

func TestLocksBetweenProcessesAndMounts(t *testing.T) {
	dir := work(t)
	other := filepath.Join(mount(t, plain), filepath.Base(dir))
	must(t, os.WriteFile(dir+"/l", []byte("00000000"), 0o666))
	f, err := os.OpenFile(dir+"/l", os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	must(t, unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 100, Len: 10}))
	want(t, "held range", helperErrno(t, helper(0, 0, nil, "lock", other+"/l", "105", "fcntl")), syscall.EAGAIN)
	want(t, "free range", helperErrno(t, helper(0, 0, nil, "lock", other+"/l", "110", "fcntl")), syscall.Errno(0))
	want(t, "flock", helperErrno(t, helper(0, 0, nil, "lock", other+"/l", "0", "flock")), syscall.Errno(0))
	must(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	want(t, "held flock", helperErrno(t, helper(0, 0, nil, "lock", other+"/l", "0", "flock")), syscall.EAGAIN)
	const processes, rounds = 4, 100
	done := make(chan error, processes)
	for i := range processes {
		cmd := helper(0, 0, nil, "count", []string{dir, other}[i%2]+"/l", fmt.Sprint(rounds))
		must(t, cmd.Start())
		go func() { done <- cmd.Wait() }()
	}
	for range processes {
		must(t, <-done)
	}
	got, err := os.ReadFile(dir + "/l")
	must(t, err)
	want(t, "counted under lock", string(got), fmt.Sprintf("%08d", processes*rounds))
}

func TestLinksAndKinds(t *testing.T) {
	dir := work(t)
	must(t, os.WriteFile(dir+"/f", []byte("x"), 0o644))
	must(t, os.Link(dir+"/f", dir+"/g"))
	must(t, os.Symlink("f", dir+"/s"))
	must(t, unix.Mkfifo(dir+"/p", 0o600))
	must(t, unix.Mknod(dir+"/reg", unix.S_IFREG|0o600, 0))
	l, err := net.Listen("unix", dir+"/sock")
	must(t, err)
	defer l.Close()
	c, err := net.Dial("unix", dir+"/sock")
	must(t, err)
	c.Close()
	var a, b unix.Stat_t
	must(t, unix.Stat(dir+"/f", &a))
	must(t, unix.Lstat(dir+"/g", &b))
	want(t, "inode", a.Ino, b.Ino)
	want(t, "links", b.Nlink, 2)
	target, err := os.Readlink(dir + "/s")
	must(t, err)
	want(t, "target", target, "f")
	for name, kind := range map[string]os.FileMode{"p": os.ModeNamedPipe, "sock": os.ModeSocket, "s": os.ModeSymlink, "reg": 0} {
		st, err := os.Lstat(dir + "/" + name)
		must(t, err)
		want(t, name, st.Mode().Type(), kind)
	}
	must(t, os.Remove(dir+"/f"))
	must(t, unix.Lstat(dir+"/g", &b))
	want(t, "links after unlink", b.Nlink, 1)
}

func TestErrorsOfNames(t *testing.T) {
	dir := work(t)
	must(t, os.MkdirAll(dir+"/d/full", 0o755))
	must(t, os.Mkdir(dir+"/e", 0o755))
	must(t, os.WriteFile(dir+"/f", nil, 0o644))
	must(t, os.Symlink("loop", dir+"/loop"))
	long := strings.Repeat("n", 256)
	for _, c := range []struct {
		what string
		err  error
		want syscall.Errno
	}{
		{"mkdir existing", unix.Mkdir(dir+"/d", 0o755), syscall.EEXIST},
		{"mkdir below file", unix.Mkdir(dir+"/f/x", 0o755), syscall.ENOTDIR},
		{"mkdir below nothing", unix.Mkdir(dir+"/no/x", 0o755), syscall.ENOENT},
		{"mkdir long name", unix.Mkdir(dir+"/"+long, 0o755), syscall.ENAMETOOLONG},
		{"rmdir full", unix.Rmdir(dir + "/d"), syscall.ENOTEMPTY},
		{"rmdir file", unix.Rmdir(dir + "/f"), syscall.ENOTDIR},
		{"rmdir nothing", unix.Rmdir(dir + "/no"), syscall.ENOENT},
		{"unlink dir", unix.Unlink(dir + "/d"), syscall.EISDIR},
		{"unlink nothing", unix.Unlink(dir + "/no"), syscall.ENOENT},
		{"rename nothing", unix.Rename(dir+"/no", dir+"/x"), syscall.ENOENT},
		{"rename dir over full dir", unix.Rename(dir+"/e", dir+"/d"), syscall.ENOTEMPTY},
		{"rename dir over file", unix.Rename(dir+"/e", dir+"/f"), syscall.ENOTDIR},
		{"rename file over dir", unix.Rename(dir+"/f", dir+"/e"), syscall.EISDIR},
		{"rename into itself", unix.Rename(dir+"/d", dir+"/d/full/x"), syscall.EINVAL},
		{"rename with flags", unix.Renameat2(unix.AT_FDCWD, dir+"/f", unix.AT_FDCWD, dir+"/e", unix.RENAME_EXCHANGE), syscall.EINVAL},
		{"link existing", unix.Link(dir+"/f", dir+"/d"), syscall.EEXIST},
		{"link dir", unix.Link(dir+"/d", dir+"/x"), syscall.EPERM},
		{"symlink existing", unix.Symlink("x", dir+"/f"), syscall.EEXIST},
		{"open loop", openErr(dir+"/loop", unix.O_RDONLY), syscall.ELOOP},
		{"open dir for writing", openErr(dir+"/d", unix.O_WRONLY), syscall.EISDIR},
		{"open file as dir", openErr(dir+"/f", unix.O_DIRECTORY), syscall.ENOTDIR},
		{"open nothing", openErr(dir+"/no", unix.O_RDONLY), syscall.ENOENT},
		{"fallocate", fallocate(dir + "/f"), syscall.EOPNOTSUPP},
		{"setxattr", unix.Setxattr(dir+"/f", "user.a", []byte("b"), 0), syscall.EOPNOTSUPP},
		{"getxattr", getxattr(dir + "/f"), syscall.EOPNOTSUPP},
	} {
		wantErr(t, c.what, c.err, c.want)
	}
}

func openErr(path string, flags int) error {
	fd, err := unix.Open(path, flags, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func fallocate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fallocate(int(f.Fd()), 0, 0, 1<<20)
}

func getxattr(path string) error {
	_, err := unix.Getxattr(path, "user.a", make([]byte, 10))
	return err
}

func TestTimes(t *testing.T) {
	dir := work(t)
	p := dir + "/f"
	must(t, os.WriteFile(p, []byte("x"), 0o644))
	at, mt := time.Unix(1_000_000_000, 123456789), time.Unix(1_100_000_000, 987654321)
	must(t, os.Chtimes(p, at, mt))
	var st unix.Stat_t
	must(t, unix.Stat(p, &st))
	want(t, "atime", st.Atim.Nano(), at.UnixNano())
	want(t, "mtime", st.Mtim.Nano(), mt.UnixNano())
	before := time.Now().Add(-2 * time.Second)
	f, err := os.OpenFile(p, os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteString("y")
	must(t, err)
	must(t, unix.Stat(p, &st))
	if time.Unix(0, st.Mtim.Nano()).Before(before) {
		t.Errorf("mtime is not new after a write: %v", time.Unix(0, st.Mtim.Nano()))
	}
	must(t, unix.Utimes(p, nil))
	must(t, unix.Stat(p, &st))
	if time.Unix(0, st.Atim.Nano()).Before(before) {
		t.Errorf("atime is not new after touch: %v", time.Unix(0, st.Atim.Nano()))
	}
}

func TestSharedMapping(t *testing.T) {
	dir := work(t)
	const size = 1 << 20
	f, err := os.OpenFile(dir+"/m", os.O_CREATE|os.O_RDWR, 0o644)
	must(t, err)
	must(t, f.Truncate(size))
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	must(t, f.Close())
	random := rand.New(rand.NewSource(1))
	random.Read(mem)
	expected := bytes.Clone(mem)
	must(t, unix.Msync(mem, unix.MS_SYNC))
	got, err := os.ReadFile(onServer(dir + "/m"))
	must(t, err)
	want(t, "on the server after msync", bytes.Equal(got, expected), true)
	mem[4096] ^= 0xff
	expected[4096] ^= 0xff
	other := filepath.Join(mount(t, plain), filepath.Base(dir))
	got, err = os.ReadFile(other + "/m")
	must(t, err)
	want(t, "through another mount", bytes.Equal(got, expected), true)
	must(t, unix.Munmap(mem))
}

func TestDirectIO(t *testing.T) {
	dir := work(t)
	f, err := os.OpenFile(dir+"/d", os.O_CREATE|os.O_RDWR|unix.O_DIRECT, 0o644)
	must(t, err)
	defer f.Close()
	mem, err := unix.Mmap(-1, 0, 4<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	must(t, err)
	defer unix.Munmap(mem)
	rand.New(rand.NewSource(2)).Read(mem)
	_, err = f.WriteAt(mem, 0)
	must(t, err)
	back, err := unix.Mmap(-1, 0, 4<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	must(t, err)
	defer unix.Munmap(back)
	_, err = f.ReadAt(back, 0)
	must(t, err)
	want(t, "read back", bytes.Equal(mem, back), true)
}

func TestRandomAccessAgainstACopy(t *testing.T) {
	dir := work(t)
	const size = 24 << 20
	random := rand.New(rand.NewSource(3))
	model := make([]byte, 0, size)
	f, err := os.OpenFile(dir+"/r", os.O_CREATE|os.O_RDWR, 0o644)
	must(t, err)
	defer f.Close()
	for range 400 {
		off := random.Intn(size - 1)
		switch random.Intn(10) {
		case 0:
			must(t, f.Truncate(int64(off)))
			model = append(model, make([]byte, max(0, off-len(model)))...)[:off]
		case 1:
			must(t, f.Sync())
		default:
			data := make([]byte, min(1+random.Intn(3<<20), size-off))
			random.Read(data)
			_, err := f.WriteAt(data, int64(off))
			must(t, err)
			model = append(model, make([]byte, max(0, off+len(data)-len(model)))...)
			copy(model[off:], data)
		}
	}
	got, err := os.ReadFile(dir + "/r")
	must(t, err)
	want(t, "through the cache", bytes.Equal(got, model), true)
	must(t, f.Sync())
	got, err = os.ReadFile(onServer(dir + "/r"))
	must(t, err)
	want(t, "on the server", bytes.Equal(got, model), true)
	must(t, os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0))
	got, err = os.ReadFile(dir + "/r")
	must(t, err)
	want(t, "read from the server", bytes.Equal(got, model), true)
}

func TestLargeFolder(t *testing.T) {
	dir := work(t)
	const count = 3000
	var expected []string
	for i := range count {
		name := fmt.Sprintf("file-%05d-with-a-name-of-some-length", i)
		must(t, os.WriteFile(onServer(dir)+"/"+name, nil, 0o644))
		expected = append(expected, name)
	}
	want(t, "list", slices.Equal(names(t, dir), expected), true)
	d, err := os.Open(dir)
	must(t, err)
	defer d.Close()
	removed := 0
	for {
		part, err := d.Readdirnames(100)
		for _, name := range part {
			must(t, os.Remove(dir+"/"+name))
			removed++
		}
		if err == io.EOF {
			break
		}
		must(t, err)
	}
	want(t, "removed while reading", removed, count)
	want(t, "left", names(t, dir), []string{})
}

func TestChangesOfAnotherClientAreSeen(t *testing.T) {
	dir := work(t)
	p, theirs := dir+"/f", filepath.Join(otherClient(t), filepath.Base(dir), "f")
	must(t, os.WriteFile(p, []byte("first"), 0o644))
	f, err := os.Open(p)
	must(t, err)
	defer f.Close()
	read := func() string {
		b := make([]byte, 100)
		n, err := f.ReadAt(b, 0)
		if err != io.EOF {
			must(t, err)
		}
		return string(b[:n])
	}
	sees := func(text string) error {
		return eventually(5*time.Second, func() error {
			if _, err := os.Stat(p); err != nil {
				return err
			}
			if got := read(); got != text {
				return fmt.Errorf("got %q, want %q", got, text)
			}
			return nil
		})
	}
	want(t, "before", read(), "first")
	for _, text := range []string{"other", "longer than before", "shorter", "SHORTER"} {
		must(t, os.WriteFile(theirs, []byte(text), 0o644))
		must(t, sees(text))
	}
	must(t, os.WriteFile(theirs, []byte("cached"), 0o644))
	got, err := os.ReadFile(p)
	must(t, err)
	want(t, "after open", string(got), "cached")
	must(t, os.WriteFile(p, []byte("CACHED"), 0o644))
	got, err = os.ReadFile(theirs)
	must(t, err)
	want(t, "seen by the other client", string(got), "CACHED")
}

func TestStatfs(t *testing.T) {
	dir := work(t)
	var here, there unix.Statfs_t
	must(t, unix.Statfs(dir, &here))
	must(t, unix.Statfs(onServer(dir), &there))
	want(t, "size in MiB", here.Blocks*uint64(here.Bsize)>>20, there.Blocks*uint64(there.Bsize)>>20)
	if here.Bavail == 0 || here.Ffree == 0 {
		t.Errorf("no space shown: %+v", here)
	}
}

func TestAppendsOfTwoClientsInTurn(t *testing.T) {
	dir := work(t)
	paths := []string{dir + "/log", filepath.Join(otherClient(t), filepath.Base(dir), "log")}
	var files []*os.File
	for _, p := range paths {
		f, err := os.OpenFile(p, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o644)
		must(t, err)
		defer f.Close()
		files = append(files, f)
	}
	expected := ""
	for i := range 50 {
		line := fmt.Sprintf("line %d\n", i)
		_, err := files[i%2].WriteString(line)
		must(t, err)
		expected += line
	}
	got, err := os.ReadFile(onServer(paths[0]))
	must(t, err)
	want(t, "on the server", string(got), expected)
	for i, p := range paths {
		must(t, eventually(5*time.Second, func() error {
			got, err := os.ReadFile(p)
			if err == nil && string(got) != expected {
				err = fmt.Errorf("client %d reads %q", i, got)
			}
			return err
		}))
	}
}
