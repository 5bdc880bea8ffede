package nfs

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
)

// makeFolder makes the volume's folder with 0777 less the umask. On a squashed export it belongs to the
// anonymous user, and a mode that is asked for may be refused: that is no reason to fail.
func makeFolder(root *os.Root, subDir string, mode uint64) error {
	if err := root.MkdirAll(subDir, 0o777); err != nil {
		return err
	}
	if mode == 0 {
		return nil
	}
	if err := root.Chmod(subDir, fileMode(mode)); err != nil {
		klog.ErrorS(err, "Failed to chmod subdirectory", "subDir", subDir)
	}
	return nil
}

// deleteFolder deletes the folder with all that is in it, then its parents that are empty.
func deleteFolder(root *os.Root, subDir string) error {
	klog.V(2).InfoS("Removing subdirectory", "subDir", subDir)
	if err := root.RemoveAll(subDir); err != nil {
		return err
	}
	for parent := path.Dir(path.Clean(subDir)); parent != "."; parent = path.Dir(parent) {
		err := root.Remove(parent)
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, fs.ErrExist) {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// archiveFolder renames the folder to archived-<subDir>. Where it is gone already, an earlier call did it.
func archiveFolder(root *os.Root, subDir string, removeOld bool) error {
	if _, err := root.Lstat(subDir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	archived := "archived-" + subDir
	klog.V(2).InfoS("Archiving subdirectory", "subDir", subDir, "archived", archived)
	if err := root.MkdirAll(path.Dir(archived), 0o777); err != nil {
		return err
	}
	if removeOld {
		if err := root.RemoveAll(archived); err != nil {
			return err
		}
	}
	return root.Rename(subDir, archived)
}
