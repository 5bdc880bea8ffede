package mountd

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
	"mlops.platform/lab/nfsfuse/internal/vfs"
)

// Logf is where messages go.
type Logf func(format string, args ...any)

// NewClient makes an NFS client. scope tells clients of one machine apart; the same scope after a restart lets the server
// drop what its predecessor held.
func NewClient(addr, scope string, maxIO uint32, logf Logf) *nfs4.Client {
	host, _ := os.Hostname()
	machine, _ := os.ReadFile("/etc/machine-id")
	return nfs4.New(nfs4.Config{
		Addr: addr, Machine: host, MaxIO: maxIO, Logf: logf,
		OwnerID: fmt.Sprintf("nfsfuse %s %s %s %s", host, strings.TrimSpace(string(machine)), scope, addr),
	})
}

// RandomScope is for clients that never come back.
func RandomScope() string { return rand.Text() }

// Find connects if need be and looks a path up. It gives up after a time.
func Find(c *nfs4.Client, path string, patience time.Duration) (*nfs4.Place, error) {
	done := make(chan struct{})
	timer := time.AfterFunc(patience, func() { close(done) })
	defer timer.Stop()
	place, err := c.Resolve(path, c.Root(), nfs4.Deadline(done))
	if errors.Is(err, nfs4.ErrInterrupted) {
		why := "no answer"
		if last := c.LastError(); last != nil {
			why = last.Error()
		}
		return nil, fmt.Errorf("server cannot be reached within %s: %s: %w", patience, why, syscall.ETIMEDOUT)
	}
	if err != nil {
		return nil, err
	}
	if place.Attr.Type != nfs4.TypeDirectory {
		return nil, &nfs4.PathError{Path: path, Err: syscall.ENOTDIR}
	}
	return place, nil
}

// NewFS makes the filesystem for a handle.
func NewFS(c *nfs4.Client, source string, root nfs4.FH, attr *nfs4.Attr, logf Logf) (*vfs.FS, error) {
	maxRead, maxWrite, err := c.Limits(nil)
	if err != nil {
		return nil, err
	}
	lease, serverRead, serverWrite, err := c.ServerLimits(root, nil)
	if err != nil {
		return nil, err
	}
	if lease > 0 {
		c.SetLease(lease)
	}
	opts := vfs.Options{Source: source, MaxRead: limit(maxRead, serverRead), MaxWrite: limit(maxWrite, serverWrite), Logf: logf}
	return vfs.NewFS(c, root, attr, opts), nil
}

func limit(session uint32, server uint64) uint32 {
	if server >= 4096 && server < uint64(session) {
		return uint32(server)
	}
	return session
}
