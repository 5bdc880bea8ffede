// Package rpc speaks ONC RPC (RFC 5531) version 2 with AUTH_SYS over one TCP connection.
package rpc

import (
	"fmt"
	"slices"

	"mlops.platform/lab/nfsfuse/internal/xdr"
)

const (
	markSize   = 4 // the record mark before each message
	rpcVersion = 2
	msgCall    = 0
	msgReply   = 1
	authNone   = 0
	authSys    = 1
	maxGroups  = 16
)

// Cred is the identity that a call is made with. It is not changed after it was made.
type Cred struct {
	UID, GID uint32
	Groups   []uint32
	encoded  []byte
}

// NewCred makes an AUTH_SYS identity. AUTH_SYS carries at most 16 supplementary groups; the rest is left out.
func NewCred(machine string, uid, gid uint32, groups []uint32) *Cred {
	if len(groups) > maxGroups {
		groups = groups[:maxGroups]
	}
	body := xdr.NewWriter(0)
	body.Uint32(0)
	body.String(machine)
	body.Uint32(uid)
	body.Uint32(gid)
	body.Uint32(uint32(len(groups)))
	for _, g := range groups {
		body.Uint32(g)
	}
	w := xdr.NewWriter(0)
	w.Uint32(authSys)
	w.Opaque(slices.Concat(body.Buffers()...))
	return &Cred{UID: uid, GID: gid, Groups: groups, encoded: slices.Concat(w.Buffers()...)}
}

// NewCall starts a message. Finish must be called once the arguments are written.
func NewCall(xid, program, version, procedure uint32, cred *Cred) *xdr.Writer {
	w := xdr.NewWriter(markSize)
	for _, v := range []uint32{xid, msgCall, rpcVersion, program, version, procedure} {
		w.Uint32(v)
	}
	if cred == nil {
		w.Uint32(authNone)
		w.Uint32(0)
	} else {
		w.Raw(cred.encoded)
	}
	w.Uint32(authNone)
	w.Uint32(0)
	return w
}

// Finish writes the record mark.
func Finish(w *xdr.Writer) { w.PutUint32(0, 0x80000000|uint32(w.Len()-markSize)) }

// DeniedError is an answer in which the server refused the call before its procedure ran.
type DeniedError struct{ What string }

func (e *DeniedError) Error() string { return "server refused the RPC call: " + e.What }

// ParseReply checks the header of an answer (the xid was read already) and leaves r at the results.
func ParseReply(r *xdr.Reader) error {
	if r.Uint32() != msgReply {
		return &DeniedError{"not an answer"}
	}
	if r.Uint32() != 0 {
		reject, why := r.Uint32(), r.Uint32()
		if reject == 1 {
			return &DeniedError{fmt.Sprintf("authentication error %d", why)}
		}
		return &DeniedError{"RPC version mismatch"}
	}
	r.Uint32()
	r.Opaque()
	if stat := r.Uint32(); stat != 0 {
		return &DeniedError{fmt.Sprintf("accept status %d (1 program, 2 version, 3 procedure not offered, 4 garbage, 5 system)", stat)}
	}
	return r.Err()
}
