package vfs

import (
	"sync"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// gate is a lock for many or for one. A wait for it ends when the waiting process is killed: whoever holds it may be waiting for a
// server that is away for hours.
type gate struct {
	mu     sync.Mutex
	shared int
	one    bool
	queued int // of those who want it alone: they go before newcomers
	change chan struct{}
}

// wait is called and returns with g.mu held.
func (g *gate) wait(intr *nfs4.Intr) error {
	if g.change == nil {
		g.change = make(chan struct{})
	}
	change := g.change
	g.mu.Unlock()
	_, err := intr.Wait(change, nil)
	g.mu.Lock()
	return err
}

func (g *gate) wake() {
	if g.change != nil {
		close(g.change)
		g.change = nil
	}
}

// share takes the gate together with others.
func (g *gate) share(intr *nfs4.Intr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.one || g.queued > 0 {
		if err := g.wait(intr); err != nil {
			return err
		}
	}
	g.shared++
	return nil
}

func (g *gate) unshare() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shared--; g.shared == 0 {
		g.wake()
	}
}

// lock takes the gate alone.
func (g *gate) lock(intr *nfs4.Intr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queued++
	defer func() { g.queued-- }()
	for g.one || g.shared > 0 {
		if err := g.wait(intr); err != nil {
			g.wake()
			return err
		}
	}
	g.one = true
	return nil
}

func (g *gate) unlock() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.one = false
	g.wake()
}
