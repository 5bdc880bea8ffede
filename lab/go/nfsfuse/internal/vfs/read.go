package vfs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// readReply hands the memory of the server's answer to the kernel and then gives it back.
type readReply struct {
	call *nfs4.Call
	data []byte
}

// Slices lets the kernel copy from the answer itself: Done comes after that.
func (r *readReply) Slices() ([][]byte, fuse.Status) { return [][]byte{r.data}, fuse.OK }

// Bytes copies: who uses this way may call Done before the kernel has the data.
func (r *readReply) Bytes(buf []byte) ([]byte, fuse.Status) {
	return append(buf[:0], r.data...), fuse.OK
}
func (r *readReply) Size() int { return len(r.data) }
func (r *readReply) Done()     { r.call.Release() }

// Read reads. It returns less than asked for at the end of the file only.
func (fs *FS) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	f := fs.file(in.Fh)
	intr := interrupt(cancel, in.Pid)
	for {
		epoch := fs.client.Epoch()
		if err := f.n.store.settled(intr); err != nil {
			return nil, status(err)
		}
		result, err := fs.readAll(f, in, buf, intr)
		if err != nil {
			return nil, status(err)
		}
		if fs.client.Epoch() == epoch {
			return result, fuse.OK
		}
		// The server was away in between: what it lost there was not written again when it answered.
		result.Done()
	}
}

func (fs *FS) readAll(f *file, in *fuse.ReadIn, buf []byte, intr *nfs4.Intr) (fuse.ReadResult, error) {
	call, op, err := fs.read(f, in.Offset, min(in.Size, fs.opts.MaxRead), intr)
	if err != nil {
		return nil, err
	}
	if op.EOF || len(op.Data) == int(in.Size) {
		return &readReply{call, op.Data}, nil
	}
	n := copy(buf, op.Data)
	call.Release()
	for !op.EOF && n < int(in.Size) {
		call, op, err = fs.read(f, in.Offset+uint64(n), min(in.Size-uint32(n), fs.opts.MaxRead), intr)
		if err != nil {
			return nil, err
		}
		n += copy(buf[n:], op.Data)
		call.Release()
	}
	return fuse.ReadResultData(buf[:n]), nil
}

func (fs *FS) read(f *file, off uint64, count uint32, intr *nfs4.Intr) (*nfs4.Call, *nfs4.Read, error) {
	op := &nfs4.Read{Open: f.ref.open, Offset: off, Count: count}
	call := &nfs4.Call{Cred: f.cred(), Open: f.ref.open, Ops: []nfs4.Op{nfs4.PutFH{FH: f.n.fh}, op}, Keep: true, Intr: intr}
	err := fs.client.Do(call)
	if len(op.Data) == 0 {
		op.EOF = true
	}
	return call, op, err
}
