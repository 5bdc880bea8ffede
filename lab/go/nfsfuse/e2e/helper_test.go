//go:build ganesha

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Some checks need a second process or another user: the test binary runs itself with this variable set.
const helperEnv = "NFSFUSE_E2E_HELPER"

func asErrno(err error, target *syscall.Errno) bool { return errors.As(err, target) }

// helper makes a command that runs a helper function as a user.
func helper(uid, gid uint32, groups []uint32, name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), helperEnv+"="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}
	cmd.Stderr = os.Stderr
	return cmd
}

// helperErrno runs a helper and returns the errno that it ended with.
func helperErrno(t *testing.T, cmd *exec.Cmd) syscall.Errno {
	t.Helper()
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return syscall.Errno(exit.ExitCode())
	}
	must(t, err)
	return 0
}

func runHelper(name string, args []string) int {
	err := helpers[name](args)
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return int(errno)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 255
	}
	return 0
}

var helpers = map[string]func([]string) error{
	"read":   func(a []string) error { _, err := os.ReadFile(a[0]); return err },
	"write":  func(a []string) error { return os.WriteFile(a[0], []byte("x"), 0o644) },
	"list":   func(a []string) error { _, err := os.ReadDir(a[0]); return err },
	"unlink": func(a []string) error { return os.Remove(a[0]) },
	"chmod":  func(a []string) error { return os.Chmod(a[0], 0o777) },
	"access": func(a []string) error { return unix.Access(a[0], unix.W_OK) },
	"append": helperAppend,
	"lock":   helperLock,
	"count":  helperCount,
	"log":    helperLog,
}

// helperAppend appends numbered lines of some length.
func helperAppend(a []string) error {
	f, err := os.OpenFile(a[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(a[2])
	for i := range n {
		if _, err := fmt.Fprintf(f, "%s %06d\n", a[1], i); err != nil {
			return err
		}
	}
	return f.Close()
}

// helperLock tries to lock a byte range: it ends with EAGAIN if somebody else holds it.
func helperLock(a []string) error {
	f, err := os.OpenFile(a[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	start, _ := strconv.ParseInt(a[1], 10, 64)
	if a[2] == "flock" {
		return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: start, Len: 10})
}

// helperCount increments a number in a file under a lock, again and again.
func helperCount(a []string) error {
	f, err := os.OpenFile(a[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(a[1])
	for range n {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Len: 1}
		if err := unix.FcntlFlock(f.Fd(), unix.F_SETLKW, &lock); err != nil {
			return err
		}
		var b [8]byte
		if _, err := f.ReadAt(b[:], 0); err != nil {
			return err
		}
		v, err := strconv.Atoi(string(b[:]))
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(fmt.Appendf(nil, "%08d", v+1), 0); err != nil {
			return err
		}
		lock.Type = unix.F_UNLCK
		if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock); err != nil {
			return err
		}
	}
	return nil
}

// helperLog appends records to a file, syncs each, and then says so on standard output, until it is told to end by SIGTERM.
func helperLog(a []string) error {
	f, err := os.OpenFile(a[0], os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	size, _ := strconv.Atoi(a[1])
	record := make([]byte, size)
	for i := 0; ; i++ {
		copy(record, fmt.Appendf(nil, "%012d", i))
		for j := 12; j < len(record); j++ {
			record[j] = byte('a' + (i+j)%26)
		}
		if _, err := f.WriteAt(record, int64(i)*int64(size)); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		if err := f.Sync(); err != nil {
			return fmt.Errorf("sync of record %d: %w", i, err)
		}
		fmt.Println(i, time.Now().UnixMilli())
	}
}
