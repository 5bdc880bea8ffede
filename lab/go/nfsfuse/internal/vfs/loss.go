package vfs

import "mlops.platform/lab/nfsfuse/internal/nfs4"

// lossLog counts how often data of a file was given up, as the kernel's errseq does: each open file is told of each loss once,
// and one that nobody was told of is told to the next who opens the file. writeStore.mu guards it.
type lossLog struct {
	count, told uint64
	last        error
}

func (l *lossLog) add(err error) {
	l.count++
	l.last = err
}

// since returns the last loss after the first seen ones, or nil.
func (l *lossLog) since(seen uint64) error {
	if l.count == seen {
		return nil
	}
	return l.last
}

// known is the number of losses that a file which is opened now needs not be told of.
func (s *writeStore) known() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.losses.told
}

// sync makes everything stable that was written before, and tells of losses that this open file was not told of yet. Calls that
// run at the same time are all told.
func (s *writeStore) sync(f *file, intr *nfs4.Intr) error {
	s.mu.Lock()
	seen := f.seen
	s.mu.Unlock()
	err := s.commit(intr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if lost := s.losses.since(seen); lost != nil {
		f.seen, s.losses.told = s.losses.count, s.losses.count
		return lost
	}
	return err
}

// lost returns a loss that this open file was not told of. It counts as told by fsync only: a close may be that of a copy of the
// descriptor, in another process.
func (s *writeStore) lost(f *file) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.losses.since(f.seen)
}
