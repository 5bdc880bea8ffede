package nfs

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
)

func publishRequest(target string) *csi.NodePublishVolumeRequest {
	return &csi.NodePublishVolumeRequest{
		VolumeId: "vol-1", TargetPath: target, VolumeCapability: oncePod,
		VolumeContext: map[string]string{
			"Server": "nfs01.lab", "share": "/srv/pg", "subDir": "data", "csi.storage.k8s.io/pv/name": "pvc-1",
			"storage.kubernetes.io/csiProvisionerIdentity": "x",
		},
	}
}

func (b *bench) unpublish(t *testing.T, target string) error {
	t.Helper()
	_, err := b.NodeUnpublishVolume(t.Context(), &csi.NodeUnpublishVolumeRequest{VolumeId: "vol-1", TargetPath: target})
	return err
}

func TestPublishAndUnpublish(t *testing.T) {
	b := newBench(t)
	share := b.export(t, "srv/pg/data")
	target := filepath.Join(b.pods, "uid", "volumes", "mount")
	for range 2 {
		_, err := b.NodePublishVolume(t.Context(), publishRequest(target))
		must(t, err)
	}
	assertEqual(t, strings.Join(b.mountCalls(t), "\n"), "-t nfs -o nfsvers=4.1,hard nfs01.lab:/srv/pg/data "+target)
	write(t, filepath.Join(target, "file"), "from the pod")
	assertEqual(t, read(t, filepath.Join(share, "file")), "from the pod")
	for range 2 {
		must(t, b.unpublish(t, target))
	}
	assertNames(t, filepath.Dir(target))
	assertEqual(t, read(t, filepath.Join(share, "file")), "from the pod")
	b.assertTidy(t)
}

func TestPublishReadOnly(t *testing.T) {
	b := newBench(t)
	b.export(t, "srv/pg/data")
	target := filepath.Join(b.pods, "mount")
	request := publishRequest(target)
	request.Readonly = true
	request.VolumeContext["mountOptions"] = "noatime"
	_, err := b.NodePublishVolume(t.Context(), request)
	must(t, err)
	assertEqual(t, strings.Join(b.mountCalls(t), "\n"),
		"-t nfs -o nfsvers=4.1,hard,ro,noatime nfs01.lab:/srv/pg/data "+target)
	err = os.WriteFile(filepath.Join(target, "file"), nil, 0o644)
	if !errors.Is(err, unix.EROFS) {
		t.Errorf("a write gave %v, want EROFS", err)
	}
}

func TestPublishMakesThePodsFolder(t *testing.T) {
	b := newBench(t)
	target := filepath.Join(b.pods, "mount")
	_, err := b.NodePublishVolume(t.Context(), publishRequest(target))
	assertCode(t, err, codes.Internal)
	if !strings.Contains(err.Error(), "no such file or directory") {
		t.Errorf("the message does not say that the server has no such folder: %v", err)
	}
	info, err := os.Stat(target)
	must(t, err)
	assertEqual(t, info.Mode(), os.ModeDir|0o750)
}

func TestPublishSetsTheModeOnlyWhenAsked(t *testing.T) {
	for permissions, want := range map[string]os.FileMode{"0": 0o700, "0777": 0o777} {
		b := newBench(t)
		share := b.export(t, "srv/pg/data")
		must(t, os.Chmod(share, 0o700))
		request := publishRequest(filepath.Join(b.pods, "mount"))
		request.VolumeContext["mountPermissions"] = permissions
		_, err := b.NodePublishVolume(t.Context(), request)
		must(t, err)
		info, err := os.Stat(share)
		must(t, err)
		assertEqual(t, info.Mode().Perm(), want)
	}
}

func TestPublishReplacesADeadMount(t *testing.T) {
	b := newBench(t)
	share := b.export(t, "srv/pg/data")
	target := filepath.Join(b.pods, "mount")
	deadFUSE(t, target)
	if _, err := os.Stat(target); !errors.Is(err, unix.ENOTCONN) {
		t.Fatalf("the mount is not dead: %v", err)
	}
	_, err := b.NodePublishVolume(t.Context(), publishRequest(target))
	must(t, err)
	write(t, filepath.Join(target, "file"), "alive")
	assertEqual(t, read(t, filepath.Join(share, "file")), "alive")
	assertEqual(t, len(b.mounted(t)), 1)
}

func TestUnpublishTakesADeadMountAway(t *testing.T) {
	b := newBench(t)
	target := filepath.Join(b.pods, "mount")
	deadFUSE(t, target)
	must(t, b.unpublish(t, target))
	assertNames(t, b.pods)
	b.assertTidy(t)
}

func TestUnpublishDeletesNoData(t *testing.T) {
	b := newBench(t)
	target := filepath.Join(b.pods, "mount")
	write(t, filepath.Join(target, "file"), "written while nothing was mounted")
	assertCode(t, b.unpublish(t, target), codes.Internal)
	assertNames(t, target, "file")
}

func TestNodeRefusals(t *testing.T) {
	_, c, _ := serve(t, options(t.TempDir()), nil)
	target := filepath.Join(t.TempDir(), "mount")
	for name, change := range map[string]func(*csi.NodePublishVolumeRequest){
		"no capability": func(r *csi.NodePublishVolumeRequest) { r.VolumeCapability = nil },
		"no id":         func(r *csi.NodePublishVolumeRequest) { r.VolumeId = "" },
		"no target":     func(r *csi.NodePublishVolumeRequest) { r.TargetPath = "" },
		"no server":     func(r *csi.NodePublishVolumeRequest) { r.VolumeContext["Server"] = "" },
		"no share":      func(r *csi.NodePublishVolumeRequest) { r.VolumeContext["share"] = "" },
		"traversal":     func(r *csi.NodePublishVolumeRequest) { r.VolumeContext["subDir"] = "../other" },
		"permissions":   func(r *csi.NodePublishVolumeRequest) { r.VolumeContext["mountPermissions"] = "9" },
	} {
		t.Run(name, func(t *testing.T) {
			request := publishRequest(target)
			request.VolumeContext = maps.Clone(request.VolumeContext)
			change(request)
			_, err := c.NodePublishVolume(t.Context(), request)
			assertCode(t, err, codes.InvalidArgument)
			if _, err := os.Stat(target); !os.IsNotExist(err) {
				t.Errorf("the target was made: %v", err)
			}
		})
	}
	_, err := c.NodeUnpublishVolume(t.Context(), &csi.NodeUnpublishVolumeRequest{TargetPath: target})
	assertCode(t, err, codes.InvalidArgument)
	_, err = c.NodeUnpublishVolume(t.Context(), &csi.NodeUnpublishVolumeRequest{VolumeId: "vol-1"})
	assertCode(t, err, codes.InvalidArgument)
}

func TestNodeGetInfo(t *testing.T) {
	_, c, _ := serve(t, options(t.TempDir()), nil)
	info, err := c.NodeGetInfo(t.Context(), &csi.NodeGetInfoRequest{})
	must(t, err)
	assertEqual(t, info.NodeId, "node1")
}
