package mountd

import (
	"fmt"
	"net"
	"time"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// CheckResult is what Check found.
type CheckResult struct {
	OK             bool   `json:"ok"`
	Error          string `json:"error,omitempty"`
	Source         string `json:"source"`
	Address        string `json:"address,omitempty"`
	MinorVersion   int    `json:"minor_version,omitempty"`
	Implementation string `json:"implementation,omitempty"`
	LeaseSeconds   int    `json:"lease_seconds,omitempty"`
	MaxRead        uint32 `json:"max_read,omitempty"`
	MaxWrite       uint32 `json:"max_write,omitempty"`
	Export         string `json:"export,omitempty"`
	Sub            string `json:"sub"`
	FSID           string `json:"fsid,omitempty"`
	Fileid         uint64 `json:"fileid,omitempty"`
	Mode           string `json:"mode,omitempty"`
	UID            uint32 `json:"uid"`
	GID            uint32 `json:"gid"`
	CanRead        bool   `json:"can_read"`
	CanWrite       bool   `json:"can_write"`
	Err            error  `json:"-"`
}

// Check connects to a server, looks a path up and asks what a user may do there.
func Check(source, options string, uid, gid uint32, patience time.Duration) *CheckResult {
	r := &CheckResult{Source: source}
	if r.Err = r.run(source, options, uid, gid, patience); r.Err != nil {
		r.Error = r.Err.Error()
	}
	r.OK = r.Err == nil
	return r
}

func (r *CheckResult) run(source, options string, uid, gid uint32, patience time.Duration) error {
	host, path, err := ParseSource(source)
	if err != nil {
		return err
	}
	opts, err := ParseOptions(options, false)
	if err != nil {
		return err
	}
	ip, err := net.ResolveIPAddr("ip", host)
	if err != nil {
		return fmt.Errorf("server name: %w", err)
	}
	r.Address = opts.Address(ip.String())
	c := NewClient(r.Address, RandomScope(), 0, nil)
	defer c.Close()
	place, err := Find(c, path, patience)
	if err != nil {
		return err
	}
	return r.describe(c, place, uid, gid)
}

func (r *CheckResult) describe(c *nfs4.Client, place *nfs4.Place, uid, gid uint32) error {
	done := make(chan struct{})
	defer time.AfterFunc(defaultRetry, func() { close(done) }).Stop()
	intr := nfs4.Deadline(done)
	lease, serverRead, serverWrite, err := c.ServerLimits(place.Root, intr)
	if err != nil {
		return err
	}
	maxRead, maxWrite, err := c.Limits(intr)
	if err != nil {
		return err
	}
	access := &nfs4.Access{Mask: nfs4.AccessRead | nfs4.AccessModify | nfs4.AccessExtend}
	if err := c.Do(&nfs4.Call{Cred: c.Cred(uid, gid, nil), Ops: []nfs4.Op{nfs4.PutFH{FH: place.FH}, access}, Intr: intr}); err != nil {
		return err
	}
	a := place.Attr
	r.MinorVersion, r.Implementation, r.LeaseSeconds = 1, c.Implementation(), int(lease.Seconds())
	r.MaxRead, r.MaxWrite = limit(maxRead, serverRead), limit(maxWrite, serverWrite)
	r.Export, r.Sub, r.FSID = place.Export, place.Sub, fmt.Sprintf("%d:%d", a.FSID.Major, a.FSID.Minor)
	r.Fileid, r.Mode, r.UID, r.GID = a.Fileid, fmt.Sprintf("%04o", a.Mode), a.UID, a.GID
	r.CanRead = access.Granted&nfs4.AccessRead != 0
	r.CanWrite = access.Granted&(nfs4.AccessModify|nfs4.AccessExtend) == nfs4.AccessModify|nfs4.AccessExtend
	return nil
}
