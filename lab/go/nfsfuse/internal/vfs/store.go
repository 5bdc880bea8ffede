package vfs

import (
	"slices"
	"sync"
	"syscall"
	"time"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

const (
	commitAt   = 16 << 20 // unstable bytes of a file that start a COMMIT in the background
	waitAt     = 32 << 20 // and that make writers wait for it
	flushAfter = 5 * time.Second
)

// writeStore keeps what the server has not made stable, to write it again when the server loses it.
type writeStore struct {
	fs   *FS
	node *node
	// order is shared by writers, and held alone by whatever must not mix with them: truncation, writing again.
	order gate
	// single lets one COMMIT run at a time: a later caller often finds its data stable already.
	single gate

	mu      sync.Mutex
	data    extents
	seq     uint64
	current nfs4.Verifier // that of the last COMMIT
	epoch   uint64        // of the server when data was written
	running bool          // a COMMIT in the background
	losses  lossLog
	late    []<-chan struct{}
}

// write writes data through and remembers it. It returns how much was written.
func (s *writeStore) write(f *file, off uint64, data []byte, atEnd bool, intr *nfs4.Intr) (int, error) {
	done, err := s.send(f, off, data, atEnd, intr)
	for err == errBehind {
		// Nothing may be written while that is written again.
		if err = s.commit(intr); err == nil {
			var more int
			more, err = s.send(f, off+uint64(done), data[done:], atEnd, intr)
			done += more
		}
	}
	if err != nil {
		return done, err
	}
	if s.pending() >= commitAt {
		s.background()
	}
	if s.pending() >= waitAt {
		err = s.commit(intr) // of a loss, the next fsync tells, too: this write may have been told as done
	}
	return done, err
}

func (s *writeStore) send(f *file, off uint64, data []byte, atEnd bool, intr *nfs4.Intr) (done int, err error) {
	// The kernel's buffer is used again when this request ends, which may be before the data has become stable.
	data = append([]byte(nil), data...)
	if err := s.order.share(intr); err != nil {
		return 0, err
	}
	defer s.order.unshare()
	if err := s.awaitLate(intr); err != nil {
		return 0, err
	}
	token := s.node.beginChange()
	var attr *nfs4.Attr
	for done < len(data) && err == nil {
		op := &nfs4.Write{Open: f.ref.open, Offset: off + uint64(done), Data: data[done:min(done+int(s.fs.opts.MaxWrite), len(data))]}
		if s.fs.unsaid.Load() > maxUnsaid {
			op.Stable = nfs4.FileSync
		}
		epoch := s.fs.client.Epoch()
		if atEnd {
			attr, err = s.sendAtEnd(f, op, intr)
			off = op.Offset - uint64(done)
		} else {
			attr, err = s.sendOne(f, op, intr)
		}
		if err == nil {
			s.written(op, epoch)
			done += int(op.Count)
			if op.Count == 0 {
				err = syscall.EIO
			}
		}
	}
	s.node.endChange(token, attr)
	return done, err
}

// sendOne sends one WRITE. The attributes are nil when they could not be read.
func (s *writeStore) sendOne(f *file, op *nfs4.Write, intr *nfs4.Intr) (*nfs4.Attr, error) {
	get := &nfs4.GetAttr{Mask: nfs4.MaskStat}
	call := &nfs4.Call{Cred: f.cred(), Open: f.ref.open, Ops: []nfs4.Op{nfs4.PutFH{FH: f.n.fh}, op, get}, Intr: intr}
	err := s.fs.client.Do(call)
	s.noteLate(call)
	if nfs4.After(err, 2) {
		return nil, nil
	}
	return &get.Attr, err
}

// noteLate remembers a change whose caller was killed and that the server may still make.
func (s *writeStore) noteLate(call *nfs4.Call) {
	if call.Late != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.late = append(s.late, call.Late)
	}
}

// awaitLate waits until no such change is under way: it must not come after newer ones.
func (s *writeStore) awaitLate(intr *nfs4.Intr) error {
	s.mu.Lock()
	late := s.late
	s.mu.Unlock()
	for _, done := range late {
		if _, err := intr.Wait(done, nil); err != nil {
			return err
		}
	}
	if len(late) > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.late = slices.DeleteFunc(s.late, closed)
	}
	return nil
}

func closed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// written remembers what the server took.
func (s *writeStore) written(op *nfs4.Write, epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.data.bytes
	data := op.Data[:min(int(op.Count), len(op.Data))]
	if op.Committed == nfs4.Unstable {
		if before == 0 {
			s.epoch = epoch
		}
		s.seq++
		s.data.add(extent{op.Offset, data, op.Verifier, s.seq})
	} else {
		s.data.cut(op.Offset, op.Offset+uint64(len(data)))
	}
	s.count(before)
	if before == 0 && s.data.bytes > 0 {
		s.fs.noteDirty(s.node)
	}
}

// count keeps the sum of all files. s.mu is held.
func (s *writeStore) count(before int) {
	s.fs.unsaid.Add(int64(s.data.bytes - before))
}

func (s *writeStore) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.bytes
}

// truncated forgets what a truncation has removed.
func (s *writeStore) truncated(size uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.data.bytes
	s.data.truncate(size)
	s.count(before)
}
