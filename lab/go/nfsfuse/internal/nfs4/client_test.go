package nfs4_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"mlops.platform/lab/nfsfuse/internal/fakenfs"
	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

func newClient(t *testing.T, s *fakenfs.Server) *nfs4.Client {
	t.Helper()
	c := nfs4.New(nfs4.Config{Addr: s.Addr(), OwnerID: t.Name(), Machine: "test", Silent: 400 * time.Millisecond})
	t.Cleanup(c.Close)
	return c
}

func root(t *testing.T, c *nfs4.Client) nfs4.FH {
	t.Helper()
	p, err := c.Resolve("/export", c.Root(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.FH
}

// within fails the test when something takes much longer than it may; how long it takes otherwise does not matter.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: no end in sight", what)
	}
}

func TestResolveFindsTheJunction(t *testing.T) {
	s := fakenfs.New(t)
	s.Put("file", "")
	c := newClient(t, s)
	p, err := c.Resolve("/export/file", c.Root(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Export != "/export" || p.Sub != "file" || p.Attr.Type != nfs4.TypeRegular {
		t.Errorf("got %+v", p)
	}
	_, err = c.Resolve("/export/no/where", c.Root(), nil)
	var where *nfs4.PathError
	if !errors.As(err, &where) || where.Path != "/export/no" || !nfs4.Failed(err, nfs4.ErrNoEnt) {
		t.Errorf("got %v", err)
	}
}

func TestManyCallsShareFewSlots(t *testing.T) {
	s := fakenfs.New(t)
	c := newClient(t, s)
	dir := root(t, c)
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			op := &nfs4.Create{Type: nfs4.TypeDirectory, Name: fmt.Sprint("d", i), Attrs: &nfs4.SetAttrs{}}
			if err := c.Do(&nfs4.Call{Cred: c.Root(), Ops: []nfs4.Op{nfs4.PutFH{FH: dir}, op}, Once: true, Main: 2}); err != nil {
				t.Error(err)
			}
			if i%50 == 0 {
				s.Disconnect()
			}
		})
	}
	group.Wait()
	if n := len(s.Names()); n != 200 {
		t.Errorf("%d folders, want 200", n)
	}
}

func TestASilentServerIsConnectedToAnew(t *testing.T) {
	s := fakenfs.New(t)
	c := newClient(t, s)
	dir := root(t, c)
	hang := make(chan struct{})
	defer close(hang)
	hung := false
	s.Fault(func(r *fakenfs.Request) *fakenfs.Action {
		if hung || !r.Has("ACCESS") {
			return nil
		}
		hung = true
		return &fakenfs.Action{Wait: hang, Drop: true}
	})
	if err := c.Do(&nfs4.Call{Cred: c.Root(), Ops: []nfs4.Op{nfs4.PutFH{FH: dir}, &nfs4.Access{}}}); err != nil {
		t.Error(err)
	}
}

func TestOnlyAFatalSignalEndsAWait(t *testing.T) {
	s := fakenfs.New(t)
	c := newClient(t, s)
	dir := root(t, c)
	s.Stop()
	signal, fatal, asked := make(chan struct{}), make(chan struct{}), make(chan struct{}, 100)
	isFatal := func() bool {
		asked <- struct{}{}
		select {
		case <-fatal:
			return true
		default:
			return false
		}
	}
	call := &nfs4.Call{Cred: c.Root(), Ops: []nfs4.Op{nfs4.PutFH{FH: dir}}, Intr: &nfs4.Intr{C: signal, Fatal: isFatal}}
	done := make(chan struct{})
	var err error
	go func() {
		err = c.Do(call)
		close(done)
	}()
	close(signal)
	<-asked
	<-asked
	select {
	case <-done:
		t.Fatalf("a harmless signal ended the call: %v", err)
	default:
	}
	close(fatal)
	within(t, "killed call", done)
	if !errors.Is(err, nfs4.ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

func TestALateCallIsKnownUntilItIsOver(t *testing.T) {
	s := fakenfs.New(t)
	c := newClient(t, s)
	dir := root(t, c)
	hold, arrived := make(chan struct{}), make(chan struct{})
	seen := false
	s.Fault(func(r *fakenfs.Request) *fakenfs.Action {
		if seen || !r.Has("CREATE") {
			return nil
		}
		seen = true
		close(arrived)
		return &fakenfs.Action{Wait: hold}
	})
	killed := make(chan struct{})
	op := &nfs4.Create{Type: nfs4.TypeDirectory, Name: "late", Attrs: &nfs4.SetAttrs{}}
	call := &nfs4.Call{Cred: c.Root(), Ops: []nfs4.Op{nfs4.PutFH{FH: dir}, op}, Once: true, Main: 2, Intr: nfs4.Deadline(killed)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Do(call); !errors.Is(err, nfs4.ErrInterrupted) {
			t.Errorf("got %v", err)
		}
	}()
	<-arrived
	close(killed)
	within(t, "killed call", done)
	select {
	case <-call.Late:
		t.Fatal("the call is said to be over")
	default:
	}
	close(hold)
	within(t, "late call", call.Late)
	if names := s.Names(); len(names) != 1 {
		t.Errorf("names %q", names)
	}
}

func TestTheLeaseIsRenewed(t *testing.T) {
	s := fakenfs.New(t)
	c := newClient(t, s)
	root(t, c)
	renewed := make(chan struct{})
	n := 0
	s.Fault(func(r *fakenfs.Request) *fakenfs.Action {
		if len(r.Ops) == 1 && r.Has("SEQUENCE") {
			if n++; n == 3 {
				close(renewed)
			}
		}
		return nil
	})
	c.SetLease(time.Second)
	within(t, "renewal", renewed)
}

func TestGoodbye(t *testing.T) {
	s := fakenfs.New(t)
	c := nfs4.New(nfs4.Config{Addr: s.Addr(), OwnerID: "x"})
	root(t, c)
	c.Close()
	if s.Count("DESTROY_SESSION") != 1 || s.Count("DESTROY_CLIENTID") != 1 {
		t.Error("the server was not told")
	}
	if err := c.Do(&nfs4.Call{Cred: c.Root(), Ops: []nfs4.Op{nfs4.PutRootFH}}); !errors.Is(err, nfs4.ErrClosed) {
		t.Errorf("a call after the end: %v", err)
	}
}

func TestAnOldServerIsRefused(t *testing.T) {
	s := fakenfs.New(t)
	s.Fault(func(*fakenfs.Request) *fakenfs.Action {
		return &fakenfs.Action{Fail: uint32(nfs4.ErrMinorVersMismatch), At: "EXCHANGE_ID"}
	})
	c := newClient(t, s)
	if err := c.Ready(nil); err == nil {
		t.Error("no error")
	}
}
