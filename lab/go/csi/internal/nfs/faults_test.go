package nfs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	mount "k8s.io/mount-utils"
)

// slowMounter is for what no real mount does on demand: one that hangs.
type slowMounter struct {
	*mount.FakeMounter
	started     chan struct{}
	finished    context.Context
	finish      context.CancelFunc
	forcedAfter time.Duration
}

func newSlowMounter(t *testing.T) *slowMounter {
	finished, finish := context.WithCancel(t.Context())
	return &slowMounter{
		FakeMounter: mount.NewFakeMounter(nil), started: make(chan struct{}, 8), finished: finished, finish: finish,
	}
}

// inBackground makes a call that hangs in its mount, and returns when it does.
func (m *slowMounter) inBackground(t *testing.T, call func() error) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	select {
	case <-m.started:
	case err := <-ended:
		t.Fatalf("ended before it mounted: %v", err)
	}
	return ended
}

func (m *slowMounter) Mount(source, target, fsType string, options []string) error {
	m.started <- struct{}{}
	<-m.finished.Done()
	return m.FakeMounter.Mount(source, target, fsType, options)
}

func (m *slowMounter) UnmountWithForce(target string, after time.Duration) error {
	m.forcedAfter = after
	return m.Unmount(target)
}

func TestASecondCallForTheSameVolumeIsAborted(t *testing.T) {
	mounter := newSlowMounter(t)
	_, c, _ := serve(t, options(t.TempDir()), mounter)
	target := filepath.Join(t.TempDir(), "mount")
	first := mounter.inBackground(t, func() error {
		_, err := c.NodePublishVolume(t.Context(), publishRequest(target))
		return err
	})
	_, err := c.NodePublishVolume(t.Context(), publishRequest(target))
	assertCode(t, err, codes.Aborted)
	_, err = c.NodeUnpublishVolume(t.Context(), &csi.NodeUnpublishVolumeRequest{VolumeId: "vol-1", TargetPath: target})
	assertCode(t, err, codes.Aborted)
	mounter.finish()
	must(t, <-first)
	_, err = c.NodePublishVolume(t.Context(), publishRequest(target))
	must(t, err)
	assertEqual(t, len(mounter.GetLog()), 1)
}

func TestCreateAndDeleteOfOneVolumeExcludeEachOther(t *testing.T) {
	mounter := newSlowMounter(t)
	_, c, _ := serve(t, options(t.TempDir()), mounter)
	first := mounter.inBackground(t, func() error {
		_, err := c.CreateVolume(t.Context(), createRequest("pvc-1", class(nil)))
		return err
	})
	_, err := c.CreateVolume(t.Context(), createRequest("pvc-1", class(nil)))
	assertCode(t, err, codes.Aborted)
	_, err = c.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: "nfs01.lab#srv/pg#data#pvc-1#delete"})
	assertCode(t, err, codes.Aborted)
	mounter.finish()
	must(t, <-first)
}

func TestAMountThatHangsIsReported(t *testing.T) {
	mounter := newSlowMounter(t)
	driver, c, _ := serve(t, options(t.TempDir()), mounter)
	driver.mountTimeout = time.Millisecond
	target := filepath.Join(t.TempDir(), "mount")
	_, err := c.NodePublishVolume(t.Context(), publishRequest(target))
	assertCode(t, err, codes.Internal)
	if !strings.Contains(err.Error(), "nfs01.lab:/srv/pg/data") || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("the message does not name the share: %v", err)
	}
	mounter.finish()
}

func TestUnpublishUsesForceAfterHalfAMinute(t *testing.T) {
	mounter := newSlowMounter(t)
	target := filepath.Join(t.TempDir(), "mount")
	must(t, os.Mkdir(target, 0o750))
	mounter.MountPoints = []mount.MountPoint{{Device: "nfs01.lab:/srv/pg", Path: target, Type: "nfs"}}
	_, c, _ := serve(t, options(t.TempDir()), mounter)
	_, err := c.NodeUnpublishVolume(t.Context(), &csi.NodeUnpublishVolumeRequest{VolumeId: "vol-1", TargetPath: target})
	must(t, err)
	assertEqual(t, mounter.forcedAfter, 30*time.Second)
}

func TestAStaleHandleIsMountedAnew(t *testing.T) {
	mounter := newSlowMounter(t)
	mounter.finish()
	target := filepath.Join(t.TempDir(), "mount")
	must(t, os.Mkdir(target, 0o750))
	mounter.MountPoints = []mount.MountPoint{{Device: "nfs01.lab:/srv/pg/data", Path: target, Type: "nfs"}}
	mounter.MountCheckErrors = map[string]error{target: &os.PathError{Op: "stat", Path: target, Err: unix.ESTALE}}
	// The stale mount is known by the check alone: the folder itself is healthy here, as the server is back.
	_, c, _ := serve(t, options(t.TempDir()), &forgiving{mounter})
	_, err := c.NodePublishVolume(t.Context(), publishRequest(target))
	must(t, err)
	var actions []string
	for _, action := range mounter.GetLog() {
		actions = append(actions, action.Action)
	}
	assertEqual(t, strings.Join(actions, " "), "unmount mount")
}

// forgiving reports the stale handle once, as the kernel does when the server knows the handle again.
type forgiving struct{ *slowMounter }

func (m *forgiving) IsLikelyNotMountPoint(file string) (bool, error) {
	defer delete(m.MountCheckErrors, file)
	return m.slowMounter.IsLikelyNotMountPoint(file)
}
