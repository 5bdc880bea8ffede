package vfs

import (
	"fmt"
	"log"
	"os"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const readaheadKiB = 4096

// Mount mounts the filesystem and serves it until it is unmounted in all mount namespaces: Wait of the result returns then.
func (fs *FS) Mount(dir string, flags uintptr) (*fuse.Server, error) {
	server, err := fuse.NewServer(fs, dir, &fuse.MountOptions{
		AllowOther:        true,
		DirectMountStrict: true,
		DirectMountFlags:  unix.MS_NOSUID | unix.MS_NODEV | flags,
		FsName:            fs.opts.Source,
		Name:              "nfs",
		MaxWrite:          int(fs.opts.MaxWrite),
		MaxBackground:     64,
		DisableXAttrs:     true,
		DisableSplice:     true,
		// Neither form of the kernel's own data invalidation fits: by mtime it would throw cached data away after each
		// own write. What others change is found by the change attribute.
		ExplicitDataCacheControl: true,
		DisabledCapabilities:     fuse.CAP_EXPLICIT_INVAL_DATA,
		ExtraCapabilities:        fuse.CAP_READDIRPLUS_AUTO | fuse.CAP_ASYNC_DIO,
		Logger:                   log.New(os.Stderr, "fuse: ", 0),
	})
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", dir, err)
	}
	go server.Serve()
	return server, server.WaitMount()
}

// SetReadahead tells the kernel to read ahead in large pieces. dev is "major:minor" of the mount.
func SetReadahead(dev string) error {
	return os.WriteFile("/sys/class/bdi/"+dev+"/read_ahead_kb", fmt.Appendf(nil, "%d", readaheadKiB), 0)
}
