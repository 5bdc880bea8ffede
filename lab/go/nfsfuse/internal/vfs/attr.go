package vfs

import (
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// GetAttr reads attributes.
func (fs *FS) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n := fs.node(in.NodeId)
	if a, valid, ok := n.fresh(attrValid); ok && a.Type == nfs4.TypeRegular {
		out.SetTimeout(valid)
		fs.fill(n, &a, &out.Attr)
		return fuse.OK
	}
	if err := n.store.settled(interrupt(cancel, in.Pid)); err != nil {
		return status(err)
	}
	token := n.watchChange()
	attr := &nfs4.GetAttr{Mask: nfs4.MaskStat}
	if err := fs.client.Do(fs.call(cancel, &in.InHeader, nfs4.PutFH{FH: n.fh}, attr)); err != nil {
		return status(err)
	}
	fs.observe(n, token, &attr.Attr)
	out.SetTimeout(attrValid)
	fs.fill(n, &attr.Attr, &out.Attr)
	return fuse.OK
}

func timeAttr(valid, set, now uint32, sec uint64, nsec uint32) *nfs4.SetTime {
	switch {
	case valid&now != 0:
		return &nfs4.SetTime{}
	case valid&set != 0:
		return &nfs4.SetTime{At: time.Unix(int64(sec), int64(nsec))}
	}
	return nil
}

func setAttrs(in *fuse.SetAttrIn) *nfs4.SetAttrs {
	s := &nfs4.SetAttrs{
		Atime: timeAttr(in.Valid, fuse.FATTR_ATIME, fuse.FATTR_ATIME_NOW, in.Atime, in.Atimensec),
		Mtime: timeAttr(in.Valid, fuse.FATTR_MTIME, fuse.FATTR_MTIME_NOW, in.Mtime, in.Mtimensec),
	}
	if mode, ok := in.GetMode(); ok {
		s.Mode = &mode
	}
	if uid, ok := in.GetUID(); ok {
		s.UID = &uid
	}
	if gid, ok := in.GetGID(); ok {
		s.GID = &gid
	}
	if size, ok := in.GetSize(); ok {
		s.Size = &size
	}
	return s
}

// SetAttr changes attributes, the size among them.
func (fs *FS) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	n := fs.node(in.NodeId)
	op := &nfs4.SetAttr{Attrs: setAttrs(in)}
	attr := &nfs4.GetAttr{Mask: nfs4.MaskStat}
	call := fs.call(cancel, &in.InHeader, nfs4.PutFH{FH: n.fh}, op, attr)
	if fh, ok := in.GetFh(); ok && op.Attrs.Size != nil {
		if f := fs.file(fh); f != nil && f.ref.key.share&nfs4.ShareWrite != 0 {
			op.Open, call.Open, call.Cred = f.ref.open, f.ref.open, f.cred()
		}
	}
	if op.Attrs.Size != nil {
		if err := n.store.order.lock(call.Intr); err != nil {
			return status(err)
		}
		defer n.store.order.unlock()
		if err := n.store.awaitLate(call.Intr); err != nil {
			return status(err)
		}
	}
	token := n.beginChange()
	err := fs.client.Do(call)
	n.store.noteLate(call)
	if op.Attrs.Size != nil && (err == nil || nfs4.After(err, 2) || call.Late != nil) {
		n.store.truncated(*op.Attrs.Size)
	}
	if nfs4.After(err, 2) {
		err = fs.client.Do(fs.call(cancel, &in.InHeader, nfs4.PutFH{FH: n.fh}, attr))
	}
	if err != nil {
		n.endChange(token, nil)
		return status(err)
	}
	n.endChange(token, &attr.Attr)
	out.SetTimeout(attrValid)
	fs.fill(n, &attr.Attr, &out.Attr)
	return fuse.OK
}

// Access asks the server whether the caller may do something.
func (fs *FS) Access(cancel <-chan struct{}, in *fuse.AccessIn) fuse.Status {
	n := fs.node(in.NodeId)
	attr := &nfs4.GetAttr{Mask: nfs4.MaskStat}
	op := &nfs4.Access{Mask: nfs4.AccessRead | nfs4.AccessLookup | nfs4.AccessModify | nfs4.AccessExtend | nfs4.AccessExecute}
	if err := fs.client.Do(fs.call(cancel, &in.InHeader, nfs4.PutFH{FH: n.fh}, op, attr)); err != nil {
		return status(err)
	}
	if missing := accessWanted(in.Mask, attr.Attr.Type) & op.Supported &^ op.Granted; missing != 0 {
		return fuse.EACCES
	}
	return fuse.OK
}

func accessWanted(mask uint32, t nfs4.FileType) (want uint32) {
	if mask&fuse.R_OK != 0 {
		want |= nfs4.AccessRead
	}
	if mask&fuse.W_OK != 0 {
		want |= nfs4.AccessModify | nfs4.AccessExtend
	}
	if mask&fuse.X_OK != 0 && t == nfs4.TypeDirectory {
		want |= nfs4.AccessLookup
	} else if mask&fuse.X_OK != 0 {
		want |= nfs4.AccessExecute
	}
	return want
}

const statfsBlock = 4096

// StatFs tells how full the server's filesystem is.
func (fs *FS) StatFs(cancel <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	attr := &nfs4.GetAttr{Mask: nfs4.MaskStatfs}
	if err := fs.client.Do(fs.call(cancel, in, nfs4.PutFH{FH: fs.node(in.NodeId).fh}, attr)); err != nil {
		return status(err)
	}
	a := &attr.Attr
	out.Bsize, out.Frsize, out.NameLen = statfsBlock, statfsBlock, 255
	out.Blocks, out.Bfree, out.Bavail = a.SpaceTotal/statfsBlock, a.SpaceFree/statfsBlock, a.SpaceAvail/statfsBlock
	out.Files, out.Ffree = a.FilesTotal, a.FilesFree
	return fuse.OK
}
