package nfs

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Keys of a StorageClass and of volume attributes, in lower case: they are not case-sensitive.
const (
	keyServer           = "server"
	keyShare            = "share"
	keySubDir           = "subdir"
	keyOnDelete         = "ondelete"
	keyMountPermissions = "mountpermissions"
	keyMountOptions     = "mountoptions"
	keyPVCName          = "csi.storage.k8s.io/pvc/name"
	keyPVCNamespace     = "csi.storage.k8s.io/pvc/namespace"
	keyPVName           = "csi.storage.k8s.io/pv/name"
)

// classKeys are what a StorageClass may say; csi-provisioner adds the names.
var classKeys = []string{
	keyServer, keyShare, keySubDir, keyOnDelete, keyMountPermissions, keyPVCName, keyPVCNamespace, keyPVName,
}

// placeholders of a subDir, by the key that has the value.
var placeholders = map[string]string{
	keyPVCName:      "${pvc.metadata.name}",
	keyPVCNamespace: "${pvc.metadata.namespace}",
	keyPVName:       "${pv.metadata.name}",
}

// parameters are those of a StorageClass, or the attributes of a volume.
type parameters struct {
	server, share, subDir, onDelete, mountOptions string
	// mode is for the volume's folder; 0 leaves it as it is.
	mode uint64
}

func checkClassKeys(given map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(classKeys, strings.ToLower(key)) {
			return fmt.Errorf("invalid parameter %q in storage class", key)
		}
	}
	return nil
}

// parseParameters reads what it knows and leaves the rest aside.
func parseParameters(given map[string]string, defaultMode uint64) (parameters, error) {
	known := make(map[string]string, len(given))
	for key, value := range given {
		known[strings.ToLower(key)] = value
	}
	p := parameters{
		server: known[keyServer], share: known[keyShare], subDir: resolve(known[keySubDir], known),
		onDelete: known[keyOnDelete], mountOptions: known[keyMountOptions], mode: defaultMode,
	}
	if text := known[keyMountPermissions]; text != "" {
		mode, err := strconv.ParseUint(text, 8, 32)
		if err != nil {
			return p, fmt.Errorf("invalid mountPermissions %q: not an octal number", text)
		}
		p.mode = mode
	}
	return p, p.check()
}

func (p parameters) check() error {
	if p.server == "" {
		return fmt.Errorf("%s is a required parameter", keyServer)
	}
	if p.share == "" {
		return fmt.Errorf("%s is a required parameter", keyShare)
	}
	if err := checkNoTraversal(keyShare, p.share); err != nil {
		return err
	}
	if err := checkSubDir(p.subDir); err != nil {
		return err
	}
	return checkOnDelete(p.onDelete)
}

// resolve puts the names of claim and volume into a subDir. A name that is not known stays as it was written.
func resolve(subDir string, known map[string]string) string {
	var pairs []string
	for key, placeholder := range placeholders {
		if name := known[key]; name != "" {
			pairs = append(pairs, placeholder, name)
		}
	}
	return strings.NewReplacer(pairs...).Replace(subDir)
}

// setParameter sets a key that may be there in another case.
func setParameter(given map[string]string, key, value string) {
	for k := range given {
		if strings.EqualFold(k, key) {
			given[k] = value
			return
		}
	}
	given[key] = value
}

// fileMode is octal, with setuid, setgid and sticky where Go has them.
func fileMode(octal uint64) os.FileMode {
	mode := os.FileMode(octal) & os.ModePerm
	for bit, flag := range map[uint64]os.FileMode{0o4000: os.ModeSetuid, 0o2000: os.ModeSetgid, 0o1000: os.ModeSticky} {
		if octal&bit != 0 {
			mode |= flag
		}
	}
	return mode
}
