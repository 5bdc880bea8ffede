package mountd

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseOptions(t *testing.T) {
	for _, c := range []struct {
		list   string
		sloppy bool
		want   Options
		err    string
	}{
		{list: "", want: Options{Port: 2049, Retry: time.Minute}},
		{list: "nfsvers=4.1,hard,timeo=600,retrans=2,proto=tcp,nolock,_netdev", want: Options{Port: 2049, Retry: time.Minute}},
		{list: "rw,vers=4,noatime,ro", want: Options{Port: 2049, Retry: time.Minute, Flags: []string{"noatime", "ro"}}},
		{list: "port=20490,rsize=65536,wsize=131072", want: Options{Port: 20490, Retry: time.Minute, MaxIO: 65536}},
		{list: "port=0,retry=2", want: Options{Port: 2049, Retry: 2 * time.Minute}},
		{list: "retry=0", want: Options{Port: 2049, Retry: 5 * time.Second}},
		{list: "x-systemd.automount", want: Options{Port: 2049, Retry: time.Minute}},
		{list: "nfsvers=3", err: "only NFSv4.1"},
		{list: "vers=4.0", err: "only NFSv4.1"},
		{list: "minorversion=0", err: "only NFSv4.1"},
		{list: "soft", err: "only hard"},
		{list: "proto=udp", err: "only TCP"},
		{list: "sec=krb5", err: "only sec=sys"},
		{list: "port=nfs", err: "no port"},
		{list: "port=70000", err: "no port"},
		{list: "sync", err: "fsync"},
		{list: "wonderful", err: "not known"},
		{list: "wonderful", sloppy: true, want: Options{Port: 2049, Retry: time.Minute}},
		{list: "soft", sloppy: true, err: "only hard"},
	} {
		got, err := ParseOptions(c.list, c.sloppy)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, want %q", c.list, err, c.err)
			}
		case err != nil:
			t.Errorf("%q: %v", c.list, err)
		case got.Port != c.want.Port || got.Retry != c.want.Retry || got.MaxIO != c.want.MaxIO || !slices.Equal(got.Flags, c.want.Flags):
			t.Errorf("%q: got %+v, want %+v", c.list, *got, c.want)
		}
	}
}

func TestParseSource(t *testing.T) {
	for source, want := range map[string][2]string{
		"nfs01:/bitnami/x":       {"nfs01", "/bitnami/x"},
		"10.0.0.1:/":             {"10.0.0.1", "/"},
		"nfs01:/a//b/../c/":      {"nfs01", "/a/c"},
		"[fd00::1]:/export":      {"fd00::1", "/export"},
		"nfs01.lab:/odd:/folder": {"nfs01.lab", "/odd:/folder"},
		"nfs01":                  {},
		":/x":                    {},
		"nfs01:x":                {},
		"":                       {},
	} {
		host, dir, err := ParseSource(source)
		if (err != nil) != (want[0] == "") || (err == nil && (host != want[0] || dir != want[1])) {
			t.Errorf("%q: got %q %q %v, want %q", source, host, dir, err, want)
		}
	}
}

const mountinfo = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
60 22 254:0 /run/state /run/state rw shared:1 - ext4 /dev/vda rw
61 60 0:63 / /run/state/nfs01_a-1 rw,nosuid - fuse.nfs nfs01:/a rw
62 22 0:63 /data /pods/1/mount rw,nosuid shared:5 - fuse.nfs nfs01:/a rw
63 22 0:63 /data /pods/2/with\040space ro,nosuid shared:6 - fuse.nfs nfs01:/a rw
64 22 0:70 / /pods/3/mount rw - fuse.nfs nfs01:/b rw
65 22 0:71 / /run/statement rw - fuse.nfs nfs01:/b rw
`

func TestMountinfo(t *testing.T) {
	list, err := parseMountinfo(strings.NewReader(mountinfo))
	if err != nil {
		t.Fatal(err)
	}
	devs := devices(list, "/run/state")
	if len(devs) != 1 || !devs["0:63"] {
		t.Errorf("devices below the state folder: %v", devs)
	}
	points := pointsOf(list, "0:63", "/run/state/nfs01_a-1")
	if !slices.Equal(points, []string{"/pods/2/with space", "/pods/1/mount"}) {
		t.Errorf("points: %q", points)
	}
	if dev := deviceAt(list, "/run/state/nfs01_a-1"); dev != "0:63" {
		t.Errorf("device: %q", dev)
	}
}

func TestFolderNames(t *testing.T) {
	a, b := folderName("nfs01", "/x/y", "1"), folderName("nfs01", "/x/y", "2")
	if a == b || strings.ContainsAny(a, "/: ") {
		t.Errorf("names %q and %q", a, b)
	}
}
