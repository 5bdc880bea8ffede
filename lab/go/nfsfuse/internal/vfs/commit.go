package vfs

import (
	"errors"
	"math"
	"slices"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
	"mlops.platform/lab/nfsfuse/internal/rpc"
)

// settled makes sure that the server's data can be read: after it lost what was not stable, that is written again first.
func (s *writeStore) settled(intr *nfs4.Intr) error {
	if !s.behind() {
		return nil
	}
	return s.commit(intr)
}

// behind tells whether the server may have lost data that has not been written again yet.
func (s *writeStore) behind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isBehind()
}

// isBehind is behind with s.mu held.
func (s *writeStore) isBehind() bool {
	return s.data.bytes > 0 && s.epoch != s.fs.client.Epoch()
}

// size corrects the server's: what it has lost is a part of the file all the same.
func (s *writeStore) size(size uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isBehind() {
		return size
	}
	return max(size, s.data.end())
}

// background commits without anybody waiting. What it loses is told to the next fsync or close.
func (s *writeStore) background() {
	s.mu.Lock()
	start := !s.running && s.data.bytes > 0
	s.running = s.running || start
	s.mu.Unlock()
	if !start {
		return
	}
	s.fs.closing.begin()
	go func() {
		defer s.fs.closing.end()
		_ = s.commit(nil)
		s.mu.Lock()
		s.running = false
		more := s.data.bytes > 0
		s.mu.Unlock()
		if more {
			s.fs.noteDirty(s.node)
		}
	}()
}

// commit returns when everything written before the call is stable.
func (s *writeStore) commit(intr *nfs4.Intr) error {
	s.mu.Lock()
	upto := s.seq
	s.mu.Unlock()
	if err := s.single.lock(intr); err != nil {
		return err
	}
	defer s.single.unlock()
	for {
		s.mu.Lock()
		open := len(s.data.list) > 0 && s.oldest() <= upto
		s.mu.Unlock()
		if !open {
			return nil
		}
		lost, err := s.commitOnce(upto, intr)
		if err != nil {
			return err
		}
		if lost {
			if err := s.rewrite(upto, intr); err != nil {
				return err
			}
		}
	}
}

func (s *writeStore) oldest() uint64 {
	seq := uint64(math.MaxUint64)
	for _, e := range s.data.list {
		seq = min(seq, e.seq)
	}
	return seq
}

// commitOnce tells whether the server has lost data.
func (s *writeStore) commitOnce(upto uint64, intr *nfs4.Intr) (lost bool, err error) {
	epoch := s.fs.client.Epoch()
	op := &nfs4.Commit{}
	open := s.node.writer()
	call := &nfs4.Call{Cred: s.cred(open), Ops: []nfs4.Op{nfs4.PutFH{FH: s.node.fh}, op}, Intr: intr}
	if err := s.fs.client.Do(call); err != nil {
		s.failed(err)
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.data.bytes
	left := s.data.settle(upto, op.Verifier)
	s.count(before)
	s.current = op.Verifier
	if len(left) == 0 {
		s.epoch = epoch
	}
	return len(left) > 0, nil
}

// rewrite sends again what the server has lost. No new data may come between.
func (s *writeStore) rewrite(upto uint64, intr *nfs4.Intr) error {
	if err := s.order.lock(intr); err != nil {
		return err
	}
	defer s.order.unlock()
	s.mu.Lock()
	list := slices.Clone(s.data.list)
	current := s.current
	s.mu.Unlock()
	open := s.node.writer()
	for _, e := range list {
		if e.seq > upto || e.verifier == current {
			continue
		}
		epoch := s.fs.client.Epoch()
		op := &nfs4.Write{Open: open, Offset: e.off, Data: e.data}
		call := &nfs4.Call{Cred: s.cred(open), Open: open, Ops: []nfs4.Op{nfs4.PutFH{FH: s.node.fh}, op}, Intr: intr}
		if err := s.fs.client.Do(call); err != nil {
			s.failed(err)
			return err
		}
		s.rewritten(op, e.seq, epoch)
		s.node.touched()
	}
	return nil
}

// rewritten notes what the server has taken for the second time. A part that it left is tried once more by the next round.
func (s *writeStore) rewritten(op *nfs4.Write, seq, epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.data.bytes
	data := op.Data[:min(int(op.Count), len(op.Data))]
	if op.Committed == nfs4.Unstable {
		s.data.add(extent{op.Offset, data, op.Verifier, seq})
	} else {
		s.data.cut(op.Offset, op.Offset+uint64(len(data)))
	}
	s.count(before)
	s.epoch = epoch
}

// failed gives up data that can never be made stable. Whoever caused the COMMIT, each open file is told of it by its next fsync.
func (s *writeStore) failed(err error) {
	if errors.Is(err, nfs4.ErrInterrupted) || errors.Is(err, nfs4.ErrClosed) {
		return
	}
	s.fs.logf("data of file %d is lost: %v", s.node.id, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.data.bytes
	s.data.truncate(0)
	s.count(before)
	s.losses.add(err)
}

// discard forgets everything: the file is gone, or cannot be written.
func (s *writeStore) discard() { s.truncated(0) }

// cred is that of the opener, or root's when the file is not open for writing any more.
func (s *writeStore) cred(open *nfs4.Open) *rpc.Cred {
	if open != nil {
		return open.Cred()
	}
	return s.fs.client.Root()
}
