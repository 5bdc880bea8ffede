package nfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	mount "k8s.io/mount-utils"
)

// client calls a driver over its socket.
type client struct {
	csi.IdentityClient
	csi.ControllerClient
	csi.NodeClient
}

// bench is a driver with real mounts, and the folder that stands for the server's exports.
type bench struct {
	client
	driver                      *Driver
	socket, exports, work, pods string
	calls                       string
}

func newBench(t *testing.T, change ...func(*Options)) *bench {
	t.Helper()
	if os.Getenv(namespaceEnv) == "" {
		t.Skip("mounts need root")
	}
	base := t.TempDir()
	b := &bench{
		exports: filepath.Join(base, "exports"), work: filepath.Join(base, "work"),
		pods: filepath.Join(base, "pods"), calls: filepath.Join(base, "calls"),
	}
	bin := filepath.Join(base, "bin")
	for _, folder := range []string{b.exports, b.work, b.pods, bin} {
		must(t, os.Mkdir(folder, 0o755))
	}
	umount, err := exec.LookPath("umount")
	must(t, err)
	self, err := os.Executable()
	must(t, err)
	must(t, os.Symlink(umount, filepath.Join(bin, "umount")))
	must(t, os.Symlink(self, filepath.Join(bin, "mount")))
	t.Setenv("PATH", bin)
	t.Setenv(exportsEnv, b.exports)
	t.Setenv(callsEnv, b.calls)
	opts := options(b.work)
	for _, f := range change {
		f(&opts)
	}
	b.driver, b.client, b.socket = serve(t, opts, mount.New(""))
	t.Cleanup(func() { b.unmountAll(t) })
	return b
}

func options(work string) Options {
	return Options{
		Name: DefaultName, NodeID: "node1", WorkingMountDir: work, DefaultOnDelete: onDeleteDelete,
		RemoveArchived: true, StatsTTL: 10 * time.Minute,
	}
}

func serve(t *testing.T, opts Options, mounter mount.Interface) (*Driver, client, string) {
	t.Helper()
	driver, err := New(opts, mounter)
	must(t, err)
	// Not t.TempDir: the path of a socket has at most 107 characters.
	folder, err := os.MkdirTemp("", "csi")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	endpoint := "unix://" + filepath.Join(folder, "csi.sock")
	listener, err := Listen(endpoint)
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- driver.Serve(t.Context(), listener) }()
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() {
		conn.Close()
		must(t, <-served)
	})
	return driver, client{csi.NewIdentityClient(conn), csi.NewControllerClient(conn), csi.NewNodeClient(conn)}, endpoint
}

// export makes a folder on the server.
func (b *bench) export(t *testing.T, share string) string {
	t.Helper()
	folder := filepath.Join(b.exports, share)
	must(t, os.MkdirAll(folder, 0o755))
	return folder
}

// mountCalls are the arguments that the mount command was given.
func (b *bench) mountCalls(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(b.calls)
	if os.IsNotExist(err) {
		return nil
	}
	must(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func (b *bench) mounted(t *testing.T) []string {
	t.Helper()
	points, err := b.driver.mounter.List()
	must(t, err)
	var below []string
	for _, point := range points {
		if strings.HasPrefix(point.Path, filepath.Dir(b.work)+"/") {
			below = append(below, point.Path)
		}
	}
	return below
}

func (b *bench) unmountAll(t *testing.T) {
	t.Helper()
	for _, target := range slices.Backward(b.mounted(t)) {
		must(t, unix.Unmount(target, unix.MNT_DETACH))
	}
}

// assertTidy: nothing is mounted and no folder left where shares are mounted for a short time.
func (b *bench) assertTidy(t *testing.T) {
	t.Helper()
	if left := b.mounted(t); len(left) > 0 {
		t.Errorf("still mounted: %v", left)
	}
	assertNames(t, b.work)
}

// deadFUSE is a mount whose daemon is gone; asleepFUSE is one whose daemon never answers.
func deadFUSE(t *testing.T, target string) {
	t.Helper()
	asleepFUSE(t, target).Close()
}

func asleepFUSE(t *testing.T, target string) *os.File {
	t.Helper()
	must(t, os.MkdirAll(target, 0o750))
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no FUSE: ", err)
	}
	data := "rootmode=40000,user_id=0,group_id=0,fd=" + itoa(fuse.Fd())
	must(t, unix.Mount("nobody", target, "fuse", 0, data))
	return fuse
}

func itoa(n uintptr) string {
	digits := ""
	for ; n > 0 || digits == ""; n /= 10 {
		digits = string(rune('0'+n%10)) + digits
	}
	return digits
}

func filesystem(mode csi.VolumeCapability_AccessMode_Mode, flags ...string) *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: mode},
		AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{MountFlags: flags}},
	}
}

var (
	oncePod = filesystem(csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER, "nfsvers=4.1", "hard")
	block   = &csi.VolumeCapability{AccessType: &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}}}
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func assertCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}

func assertEqual[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// assertNames compares the names in a folder.
func assertNames(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	must(t, err)
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has %v, want %v", folder, got, want)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(t, os.WriteFile(file, []byte(text), 0o644))
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	return string(text)
}
