package mountd

import (
	"path"

	"mlops.platform/lab/nfsfuse/internal/vfs"
)

// MountOne mounts one folder of a server straight on the target. wait returns when it was unmounted.
func MountOne(req *Request, logf Logf) (wait func(), err error) {
	c := NewClient(req.Options.Address(req.IP), RandomScope(), req.Options.MaxIO, logf)
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	place, err := Find(c, req.Path, req.Options.Retry)
	if err != nil {
		return nil, err
	}
	fs, err := NewFS(c, req.Host+":"+path.Clean(req.Path), place.FH, place.Attr, logf)
	if err != nil {
		return nil, err
	}
	server, err := fs.Mount(req.Target, flagBits(req.Options.Flags))
	if err != nil {
		return nil, err
	}
	if list, err := readMountinfo(); err == nil {
		_ = vfs.SetReadahead(deviceAt(list, req.Target)) // only speed is lost without it
	}
	return func() {
		server.Wait()
		fs.Drain(nil)
		c.Close()
	}, nil
}
