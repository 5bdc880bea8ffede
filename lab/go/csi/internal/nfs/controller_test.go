package nfs

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
)

func class(more map[string]string) map[string]string {
	params := map[string]string{"server": "nfs01.lab", "share": "/srv/pg", "subDir": "data", "onDelete": "retain"}
	maps.Copy(params, more)
	return params
}

func createRequest(name string, params map[string]string) *csi.CreateVolumeRequest {
	return &csi.CreateVolumeRequest{
		Name: name, Parameters: params, VolumeCapabilities: []*csi.VolumeCapability{oncePod},
	}
}

func TestCreateMakesTheFolder(t *testing.T) {
	b := newBench(t)
	share := b.export(t, "srv/pg")
	response, err := b.CreateVolume(t.Context(), createRequest("pvc-1", class(nil)))
	must(t, err)
	assertEqual(t, response.Volume.VolumeId, "nfs01.lab#srv/pg#data#pvc-1#retain")
	assertEqual(t, response.Volume.CapacityBytes, 0)
	if !maps.Equal(response.Volume.VolumeContext, class(nil)) {
		t.Errorf("volume context %v", response.Volume.VolumeContext)
	}
	mask := unix.Umask(0)
	unix.Umask(mask)
	info, err := os.Stat(filepath.Join(share, "data"))
	must(t, err)
	assertEqual(t, info.Mode(), os.ModeDir|os.FileMode(0o777&^mask))
	assertEqual(t, strings.Join(b.mountCalls(t), "\n"),
		"-t nfs -o nfsvers=4.1,hard nfs01.lab:/srv/pg "+filepath.Join(b.work, "pvc-1"))
	b.assertTidy(t)
}

func TestCreateWithoutSubDirTakesThePVName(t *testing.T) {
	b := newBench(t)
	share := b.export(t, "srv/pg")
	params := map[string]string{"Server": "nfs01.lab", "SHARE": "/srv/pg"}
	response, err := b.CreateVolume(t.Context(), createRequest("pvc-1", params))
	must(t, err)
	assertEqual(t, response.Volume.VolumeId, "nfs01.lab#srv/pg#pvc-1##")
	assertEqual(t, response.Volume.VolumeContext[keySubDir], "pvc-1")
	assertNames(t, share, "pvc-1")
}

func TestCreateReplacesNamesInSubDir(t *testing.T) {
	b := newBench(t)
	share := b.export(t, "srv/pg")
	params := class(map[string]string{
		"subDir":                           "homes/${pvc.metadata.namespace}/${pvc.metadata.name}-${pv.metadata.name}",
		"csi.storage.k8s.io/pvc/name":      "claim-ana",
		"csi.storage.k8s.io/pvc/namespace": "mlops",
		"csi.storage.k8s.io/pv/name":       "pvc-7",
	})
	response, err := b.CreateVolume(t.Context(), createRequest("pvc-7", params))
	must(t, err)
	assertEqual(t, response.Volume.VolumeContext["subDir"], "homes/mlops/claim-ana-pvc-7")
	assertEqual(t, response.Volume.VolumeContext["csi.storage.k8s.io/pvc/name"], "claim-ana")
	assertNames(t, filepath.Join(share, "homes", "mlops"), "claim-ana-pvc-7")
}

func TestCreateSetsTheModeOnlyWhenAsked(t *testing.T) {
	for permissions, want := range map[string]os.FileMode{"0": 0o700, "": 0o700, "0770": 0o770, "2775": 0o775 | os.ModeSetgid} {
		t.Run(permissions, func(t *testing.T) {
			b := newBench(t)
			folder := filepath.Join(b.export(t, "srv/pg"), "data")
			must(t, os.Mkdir(folder, 0o700))
			params := class(map[string]string{"mountPermissions": permissions})
			_, err := b.CreateVolume(t.Context(), createRequest("pvc-1", params))
			must(t, err)
			info, err := os.Stat(folder)
			must(t, err)
			assertEqual(t, info.Mode(), want|os.ModeDir)
		})
	}
}

func TestCreateAgainKeepsTheData(t *testing.T) {
	b := newBench(t)
	share := b.export(t, "srv/pg")
	write(t, filepath.Join(share, "data", "PG_VERSION"), "18")
	for range 2 {
		_, err := b.CreateVolume(t.Context(), createRequest("pvc-1", class(nil)))
		must(t, err)
	}
	assertEqual(t, read(t, filepath.Join(share, "data", "PG_VERSION")), "18")
	b.assertTidy(t)
}

func TestCreateRefusals(t *testing.T) {
	with := func(key, value string) *csi.CreateVolumeRequest {
		return createRequest("pvc-1", class(map[string]string{key: value}))
	}
	blockVolume, noCapability, clone := with("subDir", "data"), with("subDir", "data"), with("subDir", "data")
	blockVolume.VolumeCapabilities = []*csi.VolumeCapability{block}
	noCapability.VolumeCapabilities = nil
	clone.VolumeContentSource = &csi.VolumeContentSource{}
	for name, request := range map[string]*csi.CreateVolumeRequest{
		"unknown key":          with("subdirs", "data"),
		"mountOptions":         with("mountOptions", "hard"),
		"traversal":            with("subDir", "a/../../b"),
		"traversal, backslash": with("subDir", `a\..\b`),
		"traversal by a name":  createRequest("pvc-1", class(map[string]string{"subDir": "${pvc.metadata.name}", keyPVCName: ".."})),
		"traversal in share":   with("share", "/srv/../etc"),
		"absolute":             with("subDir", "/data"),
		"the share itself":     with("subDir", "."),
		"no server":            with("server", ""),
		"no share":             with("share", ""),
		"permissions":          with("mountPermissions", "07ab"),
		"onDelete":             with("onDelete", "keep"),
		"no name":              createRequest("", class(nil)),
		"name":                 createRequest("..", class(nil)),
		"block":                blockVolume,
		"no capability":        noCapability,
		"clone":                clone,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			share := b.export(t, "srv/pg")
			_, err := b.CreateVolume(t.Context(), request)
			assertCode(t, err, codes.InvalidArgument)
			assertEqual(t, len(b.mountCalls(t)), 0)
			assertNames(t, share)
		})
	}
}

func TestCreateSaysWhyTheServerRefused(t *testing.T) {
	b := newBench(t)
	_, err := b.CreateVolume(t.Context(), createRequest("pvc-1", class(map[string]string{"server": "refusing.lab"})))
	assertCode(t, err, codes.Internal)
	if !strings.Contains(err.Error(), "access denied by server while mounting refusing.lab:/srv/pg") {
		t.Errorf("the message does not have the server's reason: %v", err)
	}
	b.assertTidy(t)
}

func TestLinksDoNotLeadOutOfTheShare(t *testing.T) {
	b := newBench(t)
	share, outside := b.export(t, "srv/pg"), b.export(t, "other")
	write(t, filepath.Join(outside, "victim", "file"), "precious")
	must(t, os.Symlink(outside, filepath.Join(share, "link")))
	_, err := b.CreateVolume(t.Context(), createRequest("pvc-1", class(map[string]string{"subDir": "link/new"})))
	assertCode(t, err, codes.Internal)
	_, err = b.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: "nfs01.lab#srv/pg#link/victim#pvc-1#"})
	assertCode(t, err, codes.Internal)
	assertNames(t, outside, "victim")
	assertEqual(t, read(t, filepath.Join(outside, "victim", "file")), "precious")
	b.assertTidy(t)
}

func TestAMountLeftByAnEarlierProcessIsReplaced(t *testing.T) {
	b := newBench(t)
	share, other := b.export(t, "srv/pg"), b.export(t, "srv/other")
	write(t, filepath.Join(other, "data", "file"), "precious")
	write(t, filepath.Join(share, "data", "file"), "to be deleted")
	left := filepath.Join(b.work, "pvc-1")
	must(t, os.Mkdir(left, 0o750))
	must(t, unix.Mount(other, left, "", unix.MS_BIND, ""))
	_, err := b.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: "nfs01.lab#srv/pg#data#pvc-1#"})
	must(t, err)
	assertNames(t, share)
	assertEqual(t, read(t, filepath.Join(other, "data", "file")), "precious")
	b.assertTidy(t)
}

func TestCapabilities(t *testing.T) {
	_, c, _ := serve(t, options(t.TempDir()), nil)
	controller, err := c.ControllerGetCapabilities(t.Context(), &csi.ControllerGetCapabilitiesRequest{})
	must(t, err)
	var got []string
	for _, capability := range controller.Capabilities {
		got = append(got, capability.GetRpc().GetType().String())
	}
	assertEqual(t, strings.Join(got, " "), "CREATE_DELETE_VOLUME EXPAND_VOLUME SINGLE_NODE_MULTI_WRITER")
	node, err := c.NodeGetCapabilities(t.Context(), &csi.NodeGetCapabilitiesRequest{})
	must(t, err)
	got = nil
	for _, capability := range node.Capabilities {
		got = append(got, capability.GetRpc().GetType().String())
	}
	assertEqual(t, strings.Join(got, " "), "GET_VOLUME_STATS SINGLE_NODE_MULTI_WRITER")
	_, err = c.GetCapacity(t.Context(), &csi.GetCapacityRequest{})
	assertCode(t, err, codes.Unimplemented)
}

func TestExpandChangesNothing(t *testing.T) {
	_, c, _ := serve(t, options(t.TempDir()), nil)
	request := &csi.ControllerExpandVolumeRequest{
		VolumeId: "a#b#c", CapacityRange: &csi.CapacityRange{RequiredBytes: 7},
	}
	response, err := c.ControllerExpandVolume(t.Context(), request)
	must(t, err)
	assertEqual(t, response.CapacityBytes, 7)
	assertEqual(t, response.NodeExpansionRequired, false)
	_, err = c.ControllerExpandVolume(t.Context(), &csi.ControllerExpandVolumeRequest{VolumeId: "a#b#c"})
	assertCode(t, err, codes.InvalidArgument)
}
