package vfs

import (
	"strings"
	"syscall"
	"testing"

	"mlops.platform/lab/nfsfuse/internal/fakenfs"
)

const nfsIO = 5

// losing starts a server that refuses the next COMMIT: what was not stable is lost.
func losing(t *testing.T) (*kernel, *fakenfs.Server, uint64, uint64) {
	t.Helper()
	s := fakenfs.New(t)
	k := newKernel(t, s)
	node, fh, err := k.create("f", 0)
	k.must("create", err)
	refuseCommit(s, nil)
	return k, s, node, fh
}

func refuseCommit(s *fakenfs.Server, wait chan struct{}) {
	s.Fault(first("COMMIT", func() *fakenfs.Action { return &fakenfs.Action{Fail: nfsIO, At: "COMMIT", Wait: wait} }))
}

func wantLost(t *testing.T, who string, err error) {
	t.Helper()
	if !isErrno(err, syscall.EIO) {
		t.Errorf("%s got %v for data that is lost, want EIO", who, err)
	}
}

func TestALossInAWriteIsToldByTheNextFsync(t *testing.T) {
	k, _, node, fh := losing(t)
	block := strings.Repeat("x", 1<<20)
	f := k.fs.file(fh)
	f.n.store.running = true // no COMMIT in the background: that of the write itself is to fail
	for i := range uint64(waitAt >> 20) {
		_ = k.write(node, fh, i<<20, block)
	}
	if n := k.fs.Unstable(); n != 0 {
		t.Fatalf("%d bytes are kept: no COMMIT failed", n)
	}
	wantLost(t, "fsync", k.fsync(node, fh))
	k.must("write", k.write(node, fh, 0, "new"))
	k.must("the fsync after the one that told", k.fsync(node, fh))
}

func TestALossThatAReaderMetIsToldToTheWriter(t *testing.T) {
	k, s, node, fh := losing(t)
	k.must("write", k.write(node, fh, 0, "data"))
	reader, err := k.open(node, syscall.O_RDONLY)
	k.must("open", err)
	s.Crash()
	// The client must have met the restart, else it does not know that its data is to be written again.
	_, err = k.list()
	k.must("list", err)
	_, err = k.read(node, reader)
	wantLost(t, "the reader", err)
	wantLost(t, "the writer's fsync", k.fsync(node, fh))
}

func TestALossIsToldToAllWhoWaitForIt(t *testing.T) {
	s := fakenfs.New(t)
	k := newKernel(t, s)
	node, fh, err := k.create("f", 0)
	k.must("create", err)
	other, err := k.open(node, syscall.O_RDWR)
	k.must("open", err)
	k.must("write", k.write(node, fh, 0, "data"))
	hold := make(chan struct{})
	refuseCommit(s, hold)
	ended := map[uint64]chan error{fh: make(chan error, 1), other: make(chan error, 1)}
	for handle, result := range ended {
		go func() { result <- k.fsync(node, handle) }()
	}
	close(hold)
	wantLost(t, "one", <-ended[fh])
	wantLost(t, "the other", <-ended[other])
	k.must("the next fsync", k.fsync(node, fh))
}

func TestALossAfterTheLastCloseIsToldToTheNextWhoOpens(t *testing.T) {
	k, _, node, fh := losing(t)
	k.must("write", k.write(node, fh, 0, "data"))
	k.release(node, fh)
	for _, told := range []bool{true, false} {
		again, err := k.open(node, syscall.O_RDWR)
		k.must("open", err)
		err = k.fsync(node, again)
		if told {
			wantLost(t, "the next who opens", err)
		} else {
			k.must("fsync of one who opened after that", err)
		}
		k.release(node, again)
	}
}

func TestACloseDoesNotHideALoss(t *testing.T) {
	k, _, node, fh := losing(t)
	k.must("write", k.write(node, fh, 0, "data"))
	f := k.fs.file(fh)
	if err := f.n.store.commit(nil); err == nil {
		t.Fatal("the COMMIT was not refused")
	}
	wantLost(t, "the close of a copy", k.flush(node, fh))
	wantLost(t, "the fsync of the other", k.fsync(node, fh))
}
