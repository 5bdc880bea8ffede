package vfs

import (
	"errors"
	"sync"
	"testing"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

func TestGateExcludes(t *testing.T) {
	var g gate
	var group sync.WaitGroup
	value := [2]int{}
	for i := range 8 {
		group.Go(func() {
			for range 500 {
				if i < 3 {
					_ = g.lock(nil)
					value[0]++
					value[1]++
					g.unlock()
				} else {
					_ = g.share(nil)
					if value[0] != value[1] {
						t.Error("a sharer saw a change under way")
					}
					g.unshare()
				}
			}
		})
	}
	group.Wait()
	if value[0] != 1500 {
		t.Errorf("counted %d", value[0])
	}
}

func TestGateCanBeGivenUp(t *testing.T) {
	var g gate
	_ = g.lock(nil)
	killed := make(chan struct{})
	close(killed)
	if err := g.lock(nfs4.Deadline(killed)); !errors.Is(err, nfs4.ErrInterrupted) {
		t.Errorf("lock: %v", err)
	}
	if err := g.share(nfs4.Deadline(killed)); !errors.Is(err, nfs4.ErrInterrupted) {
		t.Errorf("share: %v", err)
	}
	g.unlock()
	if err := g.share(nil); err != nil {
		t.Error(err)
	}
	g.unshare()
}
