package nfs

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strings"
)

const handleSeparator = "#"

// What happens to a volume's folder when the volume is deleted.
const (
	onDeleteDelete  = "delete"
	onDeleteRetain  = "retain"
	onDeleteArchive = "archive"
)

// oldHandle is the form that releases before 4.0 gave out: server/share/subDir.
var oldHandle = regexp.MustCompile("^([^/]+)/(.*)/([^/]+)$")

// volume is what a volume handle says: server#share#subDir#uuid#onDelete.
type volume struct {
	server, share, subDir string
	// uuid is the PV's name, set only where subDir is not that name already.
	uuid     string
	onDelete string
}

func (v volume) handle() string {
	onDelete := ""
	if isPolicy(v.onDelete, onDeleteRetain) || isPolicy(v.onDelete, onDeleteArchive) {
		onDelete = v.onDelete
	}
	fields := []string{
		strings.Trim(v.server, "/"), strings.Trim(v.share, "/"), strings.Trim(v.subDir, "/"), v.uuid, onDelete,
	}
	return strings.Join(fields, handleSeparator)
}

// workName is the folder below the working directory that the share is mounted at. It is unique per volume.
func (v volume) workName() string {
	if v.uuid != "" {
		return v.uuid
	}
	return v.subDir
}

func (v volume) sharePath() string {
	return path.Join("/", v.share)
}

// check refuses every handle that would lead outside the share, or to the share itself.
func (v volume) check() error {
	for _, f := range []struct{ name, value string }{{"baseDir", v.share}, {"subDir", v.subDir}, {"uuid", v.uuid}} {
		if err := checkNoTraversal(f.name, f.value); err != nil {
			return err
		}
	}
	for _, f := range []struct{ name, value string }{{"subDir", v.subDir}, {"uuid", v.workName()}} {
		if path.Join("/", f.value) == "/" {
			return fmt.Errorf("invalid %s %q: names no folder below the share", f.name, f.value)
		}
	}
	return nil
}

func parseHandle(id string) (volume, error) {
	v := volume{}
	fields := strings.Split(id, handleSeparator)
	if len(fields) < 3 {
		old := oldHandle.FindStringSubmatch(id)
		if old == nil {
			return v, fmt.Errorf("volume id %q is not server%[2]sshare%[2]ssubDir", id, handleSeparator)
		}
		fields = old[1:]
	}
	v.server, v.share, v.subDir = fields[0], fields[1], fields[2]
	if len(fields) > 3 {
		v.uuid = fields[3]
	}
	if len(fields) > 4 {
		v.onDelete = fields[4]
	}
	return v, v.check()
}

// checkNoTraversal takes a backslash for a separator too, so that no server can read one as such.
func checkNoTraversal(field, value string) error {
	for _, segment := range strings.FieldsFunc(value, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == ".." {
			return fmt.Errorf("invalid %s %q: path contains directory traversal sequence", field, value)
		}
	}
	return nil
}

func checkSubDir(subDir string) error {
	if strings.HasPrefix(subDir, "/") {
		return fmt.Errorf("invalid subDir %q: it must be relative to the share", subDir)
	}
	return checkNoTraversal("subDir", subDir)
}

func isPolicy(value, policy string) bool {
	return strings.EqualFold(value, policy)
}

func checkOnDelete(value string) error {
	for _, policy := range []string{"", onDeleteDelete, onDeleteRetain, onDeleteArchive} {
		if isPolicy(value, policy) {
			return nil
		}
	}
	return fmt.Errorf("invalid value %q for onDelete, supported values are delete, retain, archive", value)
}

// mountSource is what is given to mount: server:/share[/subDir].
func mountSource(server, share, subDir string) string {
	if ip, err := netip.ParseAddr(server); err == nil && ip.Is6() {
		server = "[" + server + "]"
	}
	source := server + ":" + share
	if subDir == "" {
		return source
	}
	return strings.TrimRight(source, "/") + "/" + subDir
}
