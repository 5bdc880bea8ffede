package mountd

import (
	"bufio"
	"io"
	"os"
	"strings"
)

// mountEntry is a line of /proc/self/mountinfo.
type mountEntry struct {
	dev, root, point, fstype, source string
}

func parseMountinfo(r io.Reader) ([]mountEntry, error) {
	var list []mountEntry
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		before, after, found := strings.Cut(in.Text(), " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !found || len(f) < 5 || len(g) < 2 {
			continue
		}
		list = append(list, mountEntry{f[2], unescape(f[3]), unescape(f[4]), g[0], unescape(g[1])})
	}
	return list, in.Err()
}

func readMountinfo() ([]mountEntry, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseMountinfo(f)
}

var escapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func unescape(s string) string { return escapes.Replace(s) }

func (m mountEntry) isFuse() bool { return m.fstype == "fuse" || strings.HasPrefix(m.fstype, "fuse.") }

func below(point, dir string) bool { return strings.HasPrefix(point, strings.TrimSuffix(dir, "/")+"/") }

// devices returns the devices of the FUSE mounts below a folder.
func devices(list []mountEntry, dir string) map[string]bool {
	devs := map[string]bool{}
	for _, m := range list {
		if m.isFuse() && below(m.point, dir) {
			devs[m.dev] = true
		}
	}
	return devs
}

// pointsOf returns where a device is mounted, except at one place; the newest mount first.
func pointsOf(list []mountEntry, dev, except string) []string {
	var points []string
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].dev == dev && list[i].point != except {
			points = append(points, list[i].point)
		}
	}
	return points
}

// deviceAt returns the device of the topmost mount at a point.
func deviceAt(list []mountEntry, point string) string {
	dev := ""
	for _, m := range list {
		if m.point == point {
			dev = m.dev
		}
	}
	return dev
}
