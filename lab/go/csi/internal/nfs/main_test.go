package nfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	exportsEnv   = "LAB_TEST_EXPORTS"
	callsEnv     = "LAB_TEST_MOUNT_CALLS"
	namespaceEnv = "LAB_TEST_NAMESPACE"
)

// TestMain runs the tests in a mount namespace of their own, so that whatever happens no mount stays behind.
// Called by the name mount, this program is the mount command: it plays mount.nfs with a bind mount.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "mount" {
		os.Exit(playMount(os.Args[1:]))
	}
	if os.Geteuid() == 0 && os.Getenv(namespaceEnv) == "" {
		os.Exit(inNamespace())
	}
	os.Exit(m.Run())
}

func inNamespace() int {
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), namespaceEnv+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := again.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// playMount does what mount and mount.nfs do with: -t nfs [-o options] server:/share target.
func playMount(args []string) int {
	calls, err := os.OpenFile(os.Getenv(callsEnv), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(calls, strings.Join(args, " "))
	source, target := args[len(args)-2], args[len(args)-1]
	server, share, _ := strings.Cut(source, ":/")
	if server == "refusing.lab" {
		fmt.Fprintf(os.Stderr, "mount.nfs: access denied by server while mounting %s\n", source)
		return 32
	}
	if err := unix.Mount(filepath.Join(os.Getenv(exportsEnv), share), target, "", unix.MS_BIND, ""); err != nil {
		fmt.Fprintf(os.Stderr, "mount.nfs: mounting %s failed, reason given by server: %v\n", source, err)
		return 32
	}
	if i := slices.Index(args, "-o"); i >= 0 && slices.Contains(strings.Split(args[i+1], ","), "ro") {
		flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY)
		if err := unix.Mount("", target, "", flags, ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 32
		}
	}
	return 0
}
