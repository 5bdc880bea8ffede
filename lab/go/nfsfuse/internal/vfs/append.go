package vfs

import (
	"bytes"
	"errors"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// errBehind says that the server has lost data before the end of the file, which has to be there again before the end counts.
var errBehind = errors.New("server has lost data")

// sendAtEnd writes at the end of the file, which another client may have moved: the server is asked to write only if the end is
// where this machine believes it to be.
func (s *writeStore) sendAtEnd(f *file, op *nfs4.Write, intr *nfs4.Intr) (*nfs4.Attr, error) {
	for {
		get := &nfs4.GetAttr{Mask: nfs4.MaskStat}
		call := &nfs4.Call{Cred: f.cred(), Open: f.ref.open, Once: true, Main: 3, Intr: intr,
			Ops: []nfs4.Op{nfs4.PutFH{FH: f.n.fh}, nfs4.Verify{Size: op.Offset}, op, get}}
		err := s.fs.client.Do(call)
		s.noteLate(call)
		switch {
		case nfs4.After(err, 3):
			return nil, nil
		case !nfs4.Failed(err, nfs4.ErrNotSame):
			return &get.Attr, err
		case call.Uncertain && s.holds(f, op, intr):
			return s.sendOne(f, op, intr)
		case s.behind():
			return nil, errBehind
		}
		size := &nfs4.GetAttr{Mask: nfs4.MaskStat}
		if err := s.fs.client.Do(&nfs4.Call{Cred: f.cred(), Ops: []nfs4.Op{nfs4.PutFH{FH: f.n.fh}, size}, Intr: intr}); err != nil {
			return nil, err
		}
		op.Offset = size.Attr.Size
		// The kernel has put the data where it thought the end was. Its pages are locked until this request has ended.
		go s.fs.dropCached(f.n)
	}
}

// holds tells whether the server has the data already: an append whose answer was lost must not be made twice.
func (s *writeStore) holds(f *file, op *nfs4.Write, intr *nfs4.Intr) bool {
	read := &nfs4.Read{Offset: op.Offset, Count: uint32(len(op.Data))}
	call := &nfs4.Call{Cred: f.cred(), Ops: []nfs4.Op{nfs4.PutFH{FH: f.n.fh}, read}, Keep: true, Intr: intr}
	defer call.Release()
	return s.fs.client.Do(call) == nil && bytes.Equal(read.Data, op.Data)
}
