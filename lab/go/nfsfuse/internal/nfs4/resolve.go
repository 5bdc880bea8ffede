package nfs4

import (
	"fmt"
	"path"
	"strings"
	"time"

	"mlops.platform/lab/nfsfuse/internal/rpc"
)

// Place is where a path of the server leads.
type Place struct {
	Export   string // the deepest point on the way where another filesystem begins
	Root     FH     // handle of Export
	RootAttr *Attr
	Sub      string // the rest of the path, "" or "a/b"
	FH       FH     // handle of the whole path
	Attr     *Attr
}

// PathError says which part of a path could not be looked up.
type PathError struct {
	Path string
	Err  error
}

func (e *PathError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }
func (e *PathError) Unwrap() error { return e.Err }

// Resolve walks from the root of the server to a path.
func (c *Client) Resolve(p string, cred *rpc.Cred, intr *Intr) (*Place, error) {
	fh, attr, err := c.step(cred, intr, PutRootFH)
	if err != nil {
		return nil, &PathError{"/", err}
	}
	place := &Place{Export: "/", Root: fh, RootAttr: attr, FH: fh, Attr: attr}
	at := "/"
	for _, name := range strings.Split(strings.Trim(path.Clean("/"+p), "/"), "/") {
		if name == "" {
			continue
		}
		at = path.Join(at, name)
		fh, attr, err := c.step(cred, intr, PutFH{place.FH}, Lookup{name})
		if err != nil {
			return nil, &PathError{at, err}
		}
		if attr.FSID != place.Attr.FSID {
			place.Export, place.Root, place.RootAttr, place.Sub = at, fh, attr, ""
		} else {
			place.Sub = path.Join(place.Sub, name)
		}
		place.FH, place.Attr = fh, attr
	}
	return place, nil
}

func (c *Client) step(cred *rpc.Cred, intr *Intr, ops ...Op) (FH, *Attr, error) {
	var fh GetFH
	attr := &GetAttr{Mask: MaskStat}
	err := c.Do(&Call{Cred: cred, Ops: append(ops, &fh, attr), Intr: intr})
	return fh.FH, &attr.Attr, err
}

// ServerLimits reads the lease time and the largest read and write of a filesystem.
func (c *Client) ServerLimits(fh FH, intr *Intr) (lease time.Duration, maxRead, maxWrite uint64, err error) {
	attr := &GetAttr{Mask: MaskServer}
	if err := c.Do(&Call{Cred: c.root, Ops: []Op{PutFH{fh}, attr}, Intr: intr}); err != nil {
		return 0, 0, 0, err
	}
	return time.Duration(attr.Attr.LeaseTime) * time.Second, attr.Attr.MaxRead, attr.Attr.MaxWrite, nil
}
