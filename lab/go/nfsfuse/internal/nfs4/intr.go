package nfs4

import (
	"syscall"
	"time"
)

// ErrInterrupted ends a wait whose caller is being killed.
const ErrInterrupted = syscall.EINTR

const fatalCheck = 250 * time.Millisecond

// Intr lets a wait end early. C is closed when the caller got a signal; only a fatal one may end a hard mount's wait, and that
// can become true later. Nil is never interrupted.
type Intr struct {
	C     <-chan struct{}
	Fatal func() bool
}

// Deadline is an Intr that ends every wait when done is closed.
func Deadline(done <-chan struct{}) *Intr { return &Intr{C: done, Fatal: func() bool { return true }} }

// Wait returns when a or b is closed (true for a), or with ErrInterrupted. Nil channels are never ready.
func (i *Intr) Wait(a, b <-chan struct{}) (bool, error) {
	return i.wait(a, b, nil)
}

// Sleep waits for a time, or until stop is closed.
func (i *Intr) Sleep(d time.Duration, stop <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	_, err := i.wait(nil, stop, t.C)
	return err
}

func (i *Intr) wait(a, b <-chan struct{}, timeout <-chan time.Time) (bool, error) {
	var signalled <-chan struct{}
	if i != nil {
		signalled = i.C
	}
	var check <-chan time.Time
	for {
		select {
		case <-a:
			return true, nil
		case <-b:
			return false, nil
		case <-timeout:
			return false, nil
		case <-signalled:
			if i.Fatal() {
				return false, ErrInterrupted
			}
			// The kernel reports one signal for each request: whether a later one is fatal has to be looked up.
			tick := time.NewTicker(fatalCheck)
			defer tick.Stop()
			signalled, check = nil, tick.C
		case <-check:
			if i.Fatal() {
				return false, ErrInterrupted
			}
		}
	}
}
