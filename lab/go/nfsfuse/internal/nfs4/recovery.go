package nfs4

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"mlops.platform/lab/nfsfuse/internal/rpc"
)

const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 2 * time.Second
)

// identity is what the server knows this client by. Only the manager writes it.
type identity struct {
	verifier  Verifier
	clientID  atomic.Uint64
	createSeq uint32
	known     bool // the server has confirmed clientID
	reclaim   bool // the server expects reclaims, ended by RECLAIM_COMPLETE
	resetWish atomic.Bool
	server    atomic.Pointer[string]
}

// manage keeps a connection and a session up until the client is closed.
func (c *Client) manage() {
	defer close(c.done)
	backoff := firstBackoff
	var conn *rpc.Conn
	for !c.isClosed() {
		var err error
		if conn == nil || conn.Err() != nil {
			conn, err = c.dial()
		}
		if err == nil {
			err = c.serve(conn)
		}
		c.publish(c.keepSession(), nil)
		if err == nil {
			backoff = firstBackoff
		}
		if err == nil && conn.Err() == nil {
			continue
		}
		if conn != nil {
			conn.Close()
			conn = nil
		}
		if err != nil {
			c.setLastError(err)
		}
		_ = (*Intr)(nil).Sleep(backoff, c.closed)
		backoff = min(2*backoff, maxBackoff)
	}
	c.farewell(conn)
}

func (c *Client) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

func (c *Client) setLastError(err error) {
	c.mu.Lock()
	first := c.lastErr == nil || c.lastErr.Error() != err.Error()
	c.lastErr = err
	if Failed(err, ErrMinorVersMismatch) && c.sess == nil {
		c.fatal = fmt.Errorf("server offers no NFSv4.1: %w", err)
	}
	var denied *rpc.DeniedError
	if errors.As(err, &denied) && c.sess == nil {
		c.fatal = err
	}
	c.mu.Unlock()
	if first {
		c.logf("server %s: %v", c.cfg.Addr, err)
	}
}

func (c *Client) dial() (*rpc.Conn, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-c.closed:
			cancel()
		case <-stop:
		}
	}()
	return rpc.Dial(ctx, c.cfg.Addr, c.cfg.Silent)
}

// keepSession is the session that a new connection may go on with.
func (c *Client) keepSession() *session {
	s, _, _, _ := c.current()
	if s != nil && s.isDead() {
		return nil
	}
	return s
}

// serve uses a connection until something has to be set up anew. It returns nil when that is to be done at once.
func (c *Client) serve(conn *rpc.Conn) error {
	s := c.keepSession()
	if s == nil || c.id.resetWish.Load() {
		var err error
		if s, err = c.establish(conn); err != nil {
			return err
		}
	}
	c.mu.Lock()
	again := c.lastErr != nil
	c.lastErr = nil
	c.mu.Unlock()
	if again {
		c.logf("server %s: connected", c.cfg.Addr)
	}
	c.publish(s, conn)
	return c.watch(s, conn)
}

// watch waits for the end of a connection or a session and renews the lease of an idle client.
func (c *Client) watch(s *session, conn *rpc.Conn) error {
	for {
		third := time.Duration(c.lease.Load()) / 3
		idle := time.Since(time.Unix(0, s.lastUsed.Load()))
		t := time.NewTimer(max(third-idle, third/10))
		select {
		case <-conn.Dead():
			t.Stop()
			if c.isClosed() {
				return nil
			}
			c.setLastError(fmt.Errorf("connection lost: %w", conn.Err()))
			return nil
		case <-s.dead:
			t.Stop()
			return nil
		case <-c.closed:
			t.Stop()
			return nil
		case <-c.wake:
			t.Stop()
		case <-t.C:
			if time.Since(time.Unix(0, s.lastUsed.Load())) >= third {
				go c.renew(s)
			}
		}
	}
}

// renew sends a lone SEQUENCE.
func (c *Client) renew(s *session) {
	s.lastUsed.Store(time.Now().UnixNano())
	if err := s.do(&Call{Cred: c.root}); err != nil && !errors.Is(err, errSessionLost) {
		c.logf("lease renewal: %v", err)
	}
}

// stateLost reacts to a server that revoked state: start over as a new incarnation, and open files again as they are used.
func (c *Client) stateLost(s *session) {
	if c.id.resetWish.CompareAndSwap(false, true) {
		c.logf("server revoked state of this client")
		s.kill()
	}
}

// establish makes a session, and wins the open files back when the server has forgotten them.
func (c *Client) establish(conn *rpc.Conn) (*session, error) {
	if c.id.resetWish.Swap(false) {
		c.forget()
		rand.Read(c.id.verifier[:])
	}
	for range 4 {
		if !c.id.known {
			if err := c.introduce(conn); err != nil {
				return nil, err
			}
		}
		s, err := c.newSession(conn)
		switch {
		case err == nil:
			c.id.known = true
			return s, c.reclaimAll(conn, s)
		case Failed(err, ErrStaleClientID):
			c.forget()
		case Failed(err, ErrSeqMisordered), Failed(err, ErrClidInUse):
			c.forget()
			rand.Read(c.id.verifier[:])
		default:
			return nil, err
		}
	}
	return nil, errors.New("server does not accept this client")
}

// forget notes that the server has no state of this client any more.
func (c *Client) forget() {
	c.id.known, c.id.reclaim = false, true
	c.epoch.Add(1)
}

func (c *Client) introduce(conn *rpc.Conn) error {
	op := &exchangeID{verifier: c.id.verifier, owner: []byte(c.cfg.OwnerID)}
	if err := c.raw(conn, op); err != nil {
		return err
	}
	c.id.clientID.Store(op.clientID)
	c.id.createSeq = op.seq
	c.id.server.Store(&op.impl)
	c.id.reclaim = true
	return nil
}

func (c *Client) newSession(conn *rpc.Conn) (*session, error) {
	size := c.cfg.MaxIO + headroom
	op := &createSession{clientID: c.id.clientID.Load(), seq: c.id.createSeq, fore: channel{
		maxRequest: size, maxResponse: size, maxCached: headroom, maxOps: 16, maxRequests: wantSlots,
	}}
	if err := c.raw(conn, op); err != nil {
		return nil, err
	}
	c.id.createSeq++
	s := newSession(c, op.session, op.fore)
	s.lastUsed.Store(time.Now().UnixNano())
	return s, nil
}

// raw makes a call outside of a session.
func (c *Client) raw(conn *rpc.Conn, op Op) error {
	for {
		t := &transaction{xid: c.nextXID()}
		t.msg = encodeCompound(t.xid, c.root, []Op{op})
		t.send(conn)
		reply, err := t.await(Deadline(c.closed))
		if err != nil {
			return err
		}
		err = decodeCompound(reply, []Op{op})
		reply.Release()
		if !Failed(err, ErrDelay) {
			return err
		}
		_ = (*Intr)(nil).Sleep(replayInterval, c.closed)
	}
}

// reclaimAll wins back what the server lost. What cannot be reclaimed is opened again when it is used next.
func (c *Client) reclaimAll(conn *rpc.Conn, s *session) error {
	if !c.id.reclaim {
		return nil
	}
	won, lost := 0, 0
	for _, o := range c.openList() {
		st := o.state.Load()
		if st.lost {
			continue
		}
		err := c.reclaim(conn, s, o, st)
		var failed *OpError
		switch {
		case err == nil:
			won++
		case errors.As(err, &failed):
			o.markLost(st)
			lost++
		default:
			return err
		}
	}
	err := s.once(conn, &Call{Cred: c.root, Ops: []Op{reclaimComplete{}}})
	if err != nil && !Failed(err, ErrCompleteAlready) {
		return err
	}
	c.id.reclaim = false
	if won+lost > 0 {
		c.logf("open files won back: %d, to be opened again: %d", won, lost)
	}
	return nil
}

func (c *Client) openList() []*Open {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*Open, 0, len(c.opens))
	for o := range c.opens {
		list = append(list, o)
	}
	return list
}

// reclaim must not take o.mu: its holder may be waiting for the session that is being made here.
func (c *Client) reclaim(conn *rpc.Conn, s *session, o *Open, seen *openState) error {
	op := c.openOp(claimPrevious, o.owner, o.share)
	for {
		err := s.once(conn, &Call{Cred: o.cred, Ops: []Op{PutFH{o.fh}, op}})
		if Failed(err, ErrDelay) {
			_ = (*Intr)(nil).Sleep(replayInterval, c.closed)
			continue
		}
		if err == nil {
			o.state.CompareAndSwap(seen, &openState{id: op.stateID})
		}
		return err
	}
}

// Close ends the client. Calls that still wait fail. The server is told when it can be reached.
func (c *Client) Close() {
	c.mu.Lock()
	if c.isClosed() {
		c.mu.Unlock()
		return
	}
	c.fatal = ErrClosed
	close(c.closed)
	c.mu.Unlock()
	<-c.done
}

func (c *Client) farewell(conn *rpc.Conn) {
	s := c.keepSession()
	if conn != nil && conn.Err() == nil && s != nil {
		stop := time.AfterFunc(2*time.Second, conn.Close)
		if c.farewellCall(conn, &destroySession{s.id}) == nil {
			_ = c.farewellCall(conn, &destroyClientID{c.id.clientID.Load()})
		}
		stop.Stop()
		conn.Close()
	}
	c.publish(nil, nil)
}

func (c *Client) farewellCall(conn *rpc.Conn, op Op) error {
	t := &transaction{xid: c.nextXID()}
	t.msg = encodeCompound(t.xid, c.root, []Op{op})
	t.send(conn)
	reply, err := t.await(nil)
	if err != nil {
		return err
	}
	return decodeCompound(reply, []Op{op})
}
