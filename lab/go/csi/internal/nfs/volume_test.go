package nfs

import (
	"os"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	mount "k8s.io/mount-utils"
)

func TestHandles(t *testing.T) {
	for handle, want := range map[string]volume{
		"nfs01.lab#srv/pg#data#pvc-1#retain": {"nfs01.lab", "srv/pg", "data", "pvc-1", "retain"},
		"nfs01.lab#srv/pg#homes/ana#pvc-1#":  {"nfs01.lab", "srv/pg", "homes/ana", "pvc-1", ""},
		"fd00::1##pvc-1##":                   {"fd00::1", "", "pvc-1", "", ""},
	} {
		got, err := parseHandle(handle)
		must(t, err)
		assertEqual(t, got, want)
		assertEqual(t, got.handle(), handle)
	}
}

func TestShortHandles(t *testing.T) {
	for handle, want := range map[string]volume{
		"nfs01.lab#srv/pg#data":       {server: "nfs01.lab", share: "srv/pg", subDir: "data"},
		"nfs01.lab#srv/pg#data#pvc-1": {server: "nfs01.lab", share: "srv/pg", subDir: "data", uuid: "pvc-1"},
		"nfs01.lab/srv/pg/pvc-1":      {server: "nfs01.lab", share: "srv/pg", subDir: "pvc-1"},
	} {
		got, err := parseHandle(handle)
		must(t, err)
		assertEqual(t, got, want)
	}
}

func TestOnlyRetainAndArchiveAreInTheHandle(t *testing.T) {
	for policy, want := range map[string]string{"": "", "delete": "", "retain": "retain", "Archive": "Archive"} {
		assertEqual(t, volume{server: "s", share: "/a/", subDir: "b/", uuid: "u", onDelete: policy}.handle(), "s#a#b#u#"+want)
	}
}

func TestMountSource(t *testing.T) {
	for _, c := range []struct{ server, share, subDir, want string }{
		{"nfs01.lab", "/srv/pg", "", "nfs01.lab:/srv/pg"},
		{"nfs01.lab", "/srv/pg", "data", "nfs01.lab:/srv/pg/data"},
		{"nfs01.lab", "/", "data", "nfs01.lab:/data"},
		{"10.0.0.1", "/srv", "", "10.0.0.1:/srv"},
		{"fd00::1", "/srv", "a", "[fd00::1]:/srv/a"},
		{"[fd00::1]", "/srv", "a", "[fd00::1]:/srv/a"},
	} {
		assertEqual(t, mountSource(c.server, c.share, c.subDir), c.want)
	}
}

func TestFileMode(t *testing.T) {
	for octal, want := range map[uint64]os.FileMode{
		0o755: 0o755, 0o2770: 0o770 | os.ModeSetgid, 0o1777: 0o777 | os.ModeSticky, 0o4700: 0o700 | os.ModeSetuid,
	} {
		assertEqual(t, fileMode(octal), want)
	}
}

func TestSecretsAreNotLogged(t *testing.T) {
	request := &csi.DeleteVolumeRequest{VolumeId: "vol-1", Secrets: map[string]string{"mountOptions": "hidden"}}
	assertEqual(t, withoutSecrets(request), (&csi.DeleteVolumeRequest{VolumeId: "vol-1"}).String())
	assertEqual(t, request.Secrets["mountOptions"], "hidden")
}

func TestABadDefaultPolicyIsRefusedAtStart(t *testing.T) {
	if _, err := New(Options{DefaultOnDelete: "keep"}, mount.NewFakeMounter(nil)); err == nil {
		t.Error("no error")
	}
}

func TestListenRefusesWhatIsNoEndpoint(t *testing.T) {
	for _, endpoint := range []string{"", "unix://", "/csi/csi.sock", "http://localhost"} {
		if listener, err := Listen(endpoint); err == nil {
			listener.Close()
			t.Errorf("%q was taken", endpoint)
		}
	}
}

func TestThePluginSaysThatItIsTheStandIn(t *testing.T) {
	_, c, _ := serve(t, options(t.TempDir()), nil)
	info, err := c.GetPluginInfo(t.Context(), &csi.GetPluginInfoRequest{})
	must(t, err)
	assertEqual(t, info.Name, "nfs.csi.k8s.io")
	assertEqual(t, info.VendorVersion, "v4.13.4")
	assertEqual(t, info.Manifest["lab"], "stand-in")
	assertEqual(t, Banner(info.Name), "Driver: nfs.csi.k8s.io version: v4.13.4 (lab stand-in, not csi-driver-nfs)")
}
