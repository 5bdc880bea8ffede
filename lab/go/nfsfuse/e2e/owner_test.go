//go:build ganesha

package e2e

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func owner(t *testing.T, path string) [2]uint32 {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	return [2]uint32{st.Uid, st.Gid}
}

func TestOwnersAreNumbers(t *testing.T) {
	dir := work(t)
	want(t, "created by a user", helperErrno(t, helper(54321, 12345, nil, "write", dir+"/f")), syscall.Errno(0))
	want(t, "owner", owner(t, dir+"/f"), [2]uint32{54321, 12345})
	must(t, os.Chown(dir+"/f", 777, 888))
	want(t, "owner after chown", owner(t, onServer(dir+"/f")), [2]uint32{777, 888})
}

func TestPermissionsAreTheServers(t *testing.T) {
	dir := work(t)
	must(t, os.WriteFile(dir+"/private", []byte("x"), 0o600))
	must(t, os.WriteFile(dir+"/group", []byte("x"), 0o640))
	must(t, os.Chown(dir+"/group", 0, 4242))
	must(t, os.Mkdir(dir+"/closed", 0o700))
	must(t, os.WriteFile(dir+"/closed/f", []byte("x"), 0o644))
	for _, c := range []struct {
		what   string
		groups []uint32
		name   string
		path   string
		want   syscall.Errno
	}{
		{"read a private file", nil, "read", "/private", syscall.EACCES},
		{"write a private file", nil, "write", "/private", syscall.EACCES},
		{"access(2)", nil, "access", "/private", syscall.EACCES},
		{"read without the group", nil, "read", "/group", syscall.EACCES},
		{"read with the group", []uint32{4242}, "read", "/group", 0},
		{"write with the group", []uint32{4242}, "write", "/group", syscall.EACCES},
		{"list a closed folder", nil, "list", "/closed", syscall.EACCES},
		{"unlink below a closed folder", nil, "unlink", "/closed/f", syscall.EACCES},
		{"chmod of another's file", nil, "chmod", "/private", syscall.EPERM},
	} {
		want(t, c.what, helperErrno(t, helper(1000, 1000, c.groups, c.name, dir+c.path)), c.want)
	}
}

func TestSquash(t *testing.T) {
	dir := mount(t, squashed+"/data")
	for _, uid := range []uint32{0, 1000, squashUID} {
		want(t, "write", helperErrno(t, helper(uid, uid, nil, "write", dir+"/f")), syscall.Errno(0))
		want(t, "owner", owner(t, dir+"/f"), [2]uint32{squashUID, squashGID})
		must(t, os.Remove(dir+"/f"))
	}
	must(t, os.WriteFile(dir+"/f", nil, 0o644))
	// The server squashes the new owner too: to give a file to root is to give it to the one owner there is.
	must(t, os.Chown(dir+"/f", 0, 0))
	want(t, "owner after chown", owner(t, dir+"/f"), [2]uint32{squashUID, squashGID})
	must(t, os.Remove(dir+"/f"))
}
