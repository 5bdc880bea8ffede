//go:build ganesha

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const outage = 20 * time.Second

// logger is a process that writes records and confirms each after fsync.
type logger struct {
	cmd       *exec.Cmd
	path      string
	size      int
	confirmed atomic.Int64
	longest   atomic.Int64 // milliseconds between two confirmations
	done      chan struct{}
}

func startLogger(t *testing.T, path string, size int) *logger {
	t.Helper()
	l := &logger{cmd: helper(0, 0, nil, "log", path, strconv.Itoa(size)), path: path, size: size, done: make(chan struct{})}
	l.confirmed.Store(-1)
	out, err := l.cmd.StdoutPipe()
	must(t, err)
	must(t, l.cmd.Start())
	go func() {
		defer close(l.done)
		last := int64(0)
		for in := bufio.NewScanner(out); in.Scan(); {
			var n, at int64
			fmt.Sscan(in.Text(), &n, &at)
			l.confirmed.Store(n)
			if last > 0 && at-last > l.longest.Load() {
				l.longest.Store(at - last)
			}
			last = at
		}
	}()
	return l
}

// beyond waits until more records were confirmed.
func (l *logger) beyond(n int64, limit time.Duration) error {
	return eventually(limit, func() error {
		if now := l.confirmed.Load(); now < n {
			return fmt.Errorf("%s: %d records, want %d", l.path, now, n)
		}
		return nil
	})
}

// stop ends the process and checks every confirmed record on the server.
func (l *logger) stop(t *testing.T) {
	t.Helper()
	_ = l.cmd.Process.Kill()
	<-l.done
	_ = l.cmd.Wait()
	f, err := os.Open(onServer(l.path))
	must(t, err)
	defer f.Close()
	record := make([]byte, l.size)
	for i := range l.confirmed.Load() + 1 {
		_, err := io.ReadFull(f, record)
		must(t, err)
		if n, _ := strconv.ParseInt(string(record[:12]), 10, 64); n != i || record[12] != byte('a'+(i+12)%26) || record[l.size-1] != byte('a'+(int(i)+l.size-1)%26) {
			t.Fatalf("%s: record %d is damaged: %.20q", l.path, i, record)
		}
	}
	t.Logf("%s: %d confirmed records are there, longest wait %d ms", filepath.Base(l.path), l.confirmed.Load()+1, l.longest.Load())
}

func TestServerKilledWhileFilesAreInUse(t *testing.T) {
	dir := work(t)
	loggers := []*logger{startLogger(t, dir+"/small", 512), startLogger(t, dir+"/large", 40_000)}
	gone, err := os.OpenFile(dir+"/gone", os.O_CREATE|os.O_RDWR, 0o600)
	must(t, err)
	defer gone.Close()
	_, err = gone.WriteString("unlinked, not synced")
	must(t, err)
	must(t, os.Remove(dir+"/gone"))
	unsynced, err := os.Create(dir + "/unsynced")
	must(t, err)
	defer unsynced.Close()
	big := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	_, err = unsynced.Write(big)
	must(t, err)
	for _, l := range loggers {
		must(t, l.beyond(50, 30*time.Second))
	}
	theLab.killServer()
	during := make(chan error, 1)
	go func() { during <- os.WriteFile(dir+"/during", []byte("made while the server was away"), 0o644) }()
	time.Sleep(outage)
	select {
	case err := <-during:
		t.Errorf("a file could be made without a server: %v", err)
	default:
	}
	must(t, theLab.startServer())
	for _, l := range loggers {
		must(t, l.beyond(l.confirmed.Load()+50, 60*time.Second))
		l.stop(t)
	}
	must(t, <-during)
	got := make([]byte, 20)
	_, err = gone.ReadAt(got, 0)
	must(t, err)
	want(t, "unlinked file", string(got), "unlinked, not synced")
	_, err = gone.WriteAt([]byte("UNLINKED"), 0)
	must(t, err)
	must(t, gone.Sync())
	must(t, unsynced.Sync())
	text, err := os.ReadFile(onServer(dir + "/unsynced"))
	must(t, err)
	want(t, "data written before the kill and synced after it", bytes.Equal(text, big), true)
}

func TestManyShortOutages(t *testing.T) {
	dir := work(t)
	l := startLogger(t, dir+"/log", 3000)
	for range 3 {
		must(t, l.beyond(l.confirmed.Load()+30, 60*time.Second))
		theLab.killServer()
		must(t, theLab.startServer())
	}
	must(t, l.beyond(l.confirmed.Load()+30, 60*time.Second))
	l.stop(t)
}

func TestNetworkCutLongerThanTheLease(t *testing.T) {
	dir := work(t)
	l := startLogger(t, dir+"/log", 3000)
	must(t, l.beyond(30, 30*time.Second))
	must(t, run("ip", "-n", theLab.serverNS, "link", "set", "nfs0", "down"))
	time.Sleep(outage)
	must(t, run("ip", "-n", theLab.serverNS, "link", "set", "nfs0", "up"))
	must(t, l.beyond(l.confirmed.Load()+30, 60*time.Second))
	l.stop(t)
}

func TestIdleMountOutlivesTheLease(t *testing.T) {
	dir := work(t)
	f, err := os.Create(dir + "/f")
	must(t, err)
	defer f.Close()
	time.Sleep(outage)
	_, err = f.WriteString("still open")
	must(t, err)
	must(t, f.Sync())
	text, err := os.ReadFile(theLab.dir + "/daemon.log")
	must(t, err)
	if strings.Contains(string(text), "revoked") {
		t.Errorf("the lease ran out:\n%s", text)
	}
}

func TestKilledProcessesDoNotWaitForTheServer(t *testing.T) {
	dir := work(t)
	must(t, os.WriteFile(dir+"/f", make([]byte, 1<<20), 0o644))
	l := startLogger(t, dir+"/log", 512)
	must(t, l.beyond(10, 30*time.Second))
	theLab.killServer()
	reader := helper(0, 0, nil, "read", dir+"/g")
	must(t, reader.Start())
	ended := make(chan struct{})
	go func() { _ = reader.Wait(); close(ended) }()
	select {
	case <-ended:
		t.Error("a file could be read without a server")
	case <-time.After(2 * time.Second):
	}
	for _, p := range []*os.Process{reader.Process, l.cmd.Process} {
		must(t, p.Kill())
	}
	for what, done := range map[string]chan struct{}{"reader": ended, "writer": l.done} {
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Errorf("%s does not end", what)
		}
	}
	must(t, theLab.startServer())
	_ = l.cmd.Wait()
}

func TestMountsComeAndGo(t *testing.T) {
	mounted := func() int {
		n := 0
		for _, e := range status(t) {
			if e.Export == squashed {
				n = len(e.Targets)
			}
		}
		return n
	}
	var targets []string
	for i := range 10 {
		target := fmt.Sprintf("%s/many-%d", theLab.dir, i)
		must(t, os.Mkdir(target, 0o755))
		targets = append(targets, target)
	}
	done := make(chan error, len(targets))
	for _, target := range targets {
		go func() { done <- theLab.mountAt(target, squashed+"/data", "ro") }()
	}
	for range targets {
		must(t, <-done)
	}
	want(t, "mounts", mounted(), len(targets))
	wantErr(t, "ro", os.WriteFile(targets[0]+"/x", nil, 0o644), syscall.EROFS)
	for _, target := range targets {
		must(t, syscall.Unmount(target, 0))
	}
	must(t, eventually(5*time.Second, func() error {
		for _, e := range status(t) {
			if e.Export == squashed {
				return fmt.Errorf("still there: %+v", e)
			}
		}
		return nil
	}))
}

func TestMountErrors(t *testing.T) {
	target := theLab.dir + "/errors"
	must(t, os.Mkdir(target, 0o755))
	must(t, os.WriteFile(theLab.dir+"/exports/plain/file", nil, 0o644))
	must(t, os.Symlink("/etc", theLab.dir+"/exports/plain/link"))
	defer os.Remove(theLab.dir + "/exports/plain/link")
	for _, c := range []struct{ path, options, says string }{
		{"/export/nothing", "", "/export/nothing"},
		{plain + "/file", "", "not a directory"},
		{plain + "/link", "", "not a directory"},
		{plain + "/link/ssh", "", "/link/ssh"},
		{plain, "nfsvers=3", "only NFSv4.1"},
		{plain, "soft", "only hard mounts"},
		{plain, "wonderful", "not known"},
		{plain, "port=2050,retry=0", "cannot be reached"},
	} {
		err := theLab.mountAt(target, c.path, c.options)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "exit status 32") {
			t.Errorf("%s with %q: got %v, want %q", c.path, c.options, err, c.says)
		}
	}
	err := theLab.mountAt(theLab.dir+"/nowhere", plain, "")
	if err == nil || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("no target: got %v", err)
	}
}

func TestDaemonKilledAndStopped(t *testing.T) {
	target := theLab.dir + "/dead"
	must(t, os.Mkdir(target, 0o755))
	must(t, theLab.mountAt(target, plain, ""))
	must(t, theLab.daemon.Process.Kill())
	_ = theLab.daemon.Wait()
	var st unix.Stat_t
	wantErr(t, "dead mount", unix.Stat(target, &st), syscall.ENOTCONN)
	must(t, theLab.startDaemon())
	must(t, unix.Stat(target, &st))
	want(t, "mounts after the restart", ours(t), []string{theLab.dir + "/state"})

	must(t, theLab.mountAt(target, plain, ""))
	f, err := os.Create(target + "/unsynced")
	must(t, err)
	defer f.Close()
	_, err = f.WriteString("written, not synced")
	must(t, err)
	must(t, theLab.daemon.Process.Signal(syscall.SIGTERM))
	must(t, theLab.daemon.Wait())
	want(t, "mounts after the stop", ours(t), []string{})
	_, err = f.WriteString("x")
	wantErr(t, "open file", err, syscall.ENOTCONN)
	got, err := os.ReadFile(theLab.dir + "/exports/plain/unsynced")
	must(t, err)
	want(t, "content", string(got), "written, not synced")
	must(t, theLab.startDaemon())
}

// ours are the mount points below the lab's folder.
func ours(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	list := []string{}
	for line := range strings.Lines(string(text)) {
		if point := strings.Fields(line)[4]; strings.HasPrefix(point, theLab.dir) {
			list = append(list, point)
		}
	}
	return list
}
