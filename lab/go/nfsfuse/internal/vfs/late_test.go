package vfs

import (
	"errors"
	"testing"

	"mlops.platform/lab/nfsfuse/internal/fakenfs"
	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// TestAWriteOfAKilledProcessDoesNotComeLate: the server may run a write long after its caller was killed. Newer data must win.
func TestAWriteOfAKilledProcessDoesNotComeLate(t *testing.T) {
	s := fakenfs.New(t)
	k := newKernel(t, s)
	node, fh := k.file("f", "........")
	hold, arrived, killed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s.Fault(first("WRITE", func() *fakenfs.Action {
		close(arrived)
		return &fakenfs.Action{Wait: hold}
	}))
	file := k.fs.file(fh)
	ended := make(chan error, 1)
	go func() {
		_, err := file.n.store.write(file, 0, []byte("of the killed"), false, nfs4.Deadline(killed))
		ended <- err
	}()
	<-arrived
	close(killed)
	if err := <-ended; !errors.Is(err, nfs4.ErrInterrupted) {
		t.Fatalf("got %v", err)
	}
	newer, waiting, signal := make(chan error, 1), make(chan struct{}, 100), make(chan struct{})
	close(signal)
	harmless := func() bool {
		waiting <- struct{}{}
		return false
	}
	go func() {
		_, err := file.n.store.write(file, 0, []byte("of the living"), false, &nfs4.Intr{C: signal, Fatal: harmless})
		newer <- err
	}()
	for range 3 {
		select {
		case <-waiting:
		case err := <-newer:
			t.Fatalf("the newer write was first: %v", err)
		}
	}
	close(hold)
	if err := <-newer; err != nil {
		t.Fatal(err)
	}
	k.must("fsync", k.fsync(node, fh))
	if got, _ := s.Content("f"); got != "of the living" {
		t.Errorf("got %q", got)
	}
}
