package nfs4

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mlops.platform/lab/nfsfuse/internal/rpc"
	"mlops.platform/lab/nfsfuse/internal/xdr"
)

const (
	program        = 100003
	version        = 4
	procCompound   = 1
	minorVersion   = 1
	replayInterval = 100 * time.Millisecond
)

// errSessionLost means: the same call has to be made again in another session.
var errSessionLost = errors.New("session lost")

// errRetry means: the server ran the call and did not keep the answer; it has to be made again.
var errRetry = errors.New("answer lost")

// session is one NFSv4.1 session. Its slots give every call exactly-once execution as long as the server remembers the session.
type session struct {
	c        *Client
	id       [16]byte
	limits   channel
	slots    chan *slot
	highest  uint32
	dead     chan struct{}
	deadOnce sync.Once
	lastUsed atomic.Int64
}

type slot struct {
	id, seq uint32
}

func newSession(c *Client, id [16]byte, limits channel) *session {
	n := min(limits.maxRequests, wantSlots)
	s := &session{c: c, id: id, limits: limits, slots: make(chan *slot, n), highest: n - 1, dead: make(chan struct{})}
	for i := range n {
		s.slots <- &slot{id: i, seq: 1}
	}
	return s
}

// kill ends the session. It tells whether this call was the one that did.
func (s *session) kill() (first bool) {
	s.deadOnce.Do(func() {
		close(s.dead)
		first = true
	})
	return first
}

func (s *session) isDead() bool {
	select {
	case <-s.dead:
		return true
	default:
		return false
	}
}

func (s *session) acquire(intr *Intr) (*slot, error) {
	select {
	case sl := <-s.slots:
		return sl, nil
	default:
	}
	// A slot becomes free when a call ends; the wait for it must be as interruptible as the call.
	got := make(chan struct{})
	abandon := make(chan struct{})
	var sl *slot
	go func() {
		defer close(got)
		select {
		case sl = <-s.slots:
		case <-abandon:
		case <-s.dead:
		}
	}()
	_, err := intr.Wait(got, nil)
	if err != nil {
		close(abandon)
		<-got
		if sl != nil {
			s.slots <- sl
		}
		return nil, err
	}
	if sl == nil {
		return nil, errSessionLost
	}
	return sl, nil
}

// transaction is an encoded call. It is sent again, unchanged, until it is answered or its session is lost.
type transaction struct {
	xid   uint32
	msg   *xdr.Writer
	slot  *slot
	seqOp *sequence
	sends int
	// The connection and the answer that are waited for. A request is never sent twice over one connection.
	conn    *rpc.Conn
	pending *rpc.Pending
}

func (s *session) encode(call *Call, sl *slot) *transaction {
	t := &transaction{xid: s.c.nextXID(), slot: sl}
	t.seqOp = &sequence{session: s.id, seq: sl.seq, slot: sl.id, highs: s.highest, cache: call.Once}
	t.msg = encodeCompound(t.xid, call.Cred, append([]Op{t.seqOp}, call.Ops...))
	return t
}

func encodeCompound(xid uint32, cred *rpc.Cred, ops []Op) *xdr.Writer {
	w := rpc.NewCall(xid, program, version, procCompound, cred)
	w.String("")
	w.Uint32(minorVersion)
	w.Uint32(uint32(len(ops)))
	for _, op := range ops {
		w.Uint32(op.code())
		op.encode(w)
	}
	rpc.Finish(w)
	return w
}

// decodeCompound reads the results. The error is an *OpError for the operation that failed.
func decodeCompound(reply *rpc.Reply, ops []Op) error {
	r := xdr.NewReader(reply.Body)
	if err := rpc.ParseReply(r); err != nil {
		return err
	}
	status := Status(r.Uint32())
	r.Opaque()
	n := int(r.Uint32())
	for i := 0; i < n && i < len(ops) && r.Err() == nil; i++ {
		if code := r.Uint32(); code != ops[i].code() {
			return fmt.Errorf("server answered operation %d with %d", ops[i].code(), code)
		}
		if st := Status(r.Uint32()); st != StatusOK {
			return &OpError{i, ops[i], st}
		}
		ops[i].decode(r)
	}
	if r.Err() == nil && status != StatusOK {
		return &OpError{0, ops[0], status}
	}
	if r.Err() == nil && n < len(ops) {
		return fmt.Errorf("server answered %d of %d operations", n, len(ops))
	}
	return r.Err()
}

// do makes one call in this session and survives reconnections.
func (s *session) do(call *Call) error {
	sl, err := s.acquire(call.Intr)
	if err != nil {
		return err
	}
	t := s.encode(call, sl)
	return s.exchange(call, t, call.Intr)
}

func (s *session) exchange(call *Call, t *transaction, intr *Intr) error {
	for {
		if t.pending == nil {
			conn, err := s.c.connFor(s, intr)
			if err != nil && t.sends == 0 {
				s.slots <- t.slot
				return err
			}
			if errors.Is(err, ErrInterrupted) {
				return s.abandon(call, t)
			}
			if err != nil {
				call.Uncertain = true
				return err
			}
			t.send(conn)
		}
		reply, err := t.await(intr)
		if errors.Is(err, ErrInterrupted) {
			return s.abandon(call, t)
		}
		if err != nil {
			continue
		}
		again, err := s.answered(call, t, reply)
		if !again {
			return err
		}
		if intr.Sleep(replayInterval, s.dead) != nil {
			return s.abandon(call, t)
		}
	}
}

// abandon lets a call go on without its caller: the slot stays in use until the server has answered.
func (s *session) abandon(call *Call, t *transaction) error {
	detached := *call
	detached.Keep = false
	ended := make(chan struct{})
	call.Late = ended
	go func() {
		defer close(ended)
		_ = s.exchange(&detached, t, nil)
	}()
	return ErrInterrupted
}

func (t *transaction) send(conn *rpc.Conn) {
	t.sends++
	t.conn, t.pending = conn, conn.Send(t.xid, t.msg)
}

// await waits for the answer. The error is ErrInterrupted, and then the answer may still be waited for, or says that the connection
// died.
func (t *transaction) await(intr *Intr) (*rpc.Reply, error) {
	p := t.pending
	answered, err := intr.Wait(p.Done, t.conn.Dead())
	if err != nil {
		return nil, err
	}
	t.pending = nil
	if !answered {
		select {
		case <-p.Done:
		default:
			return nil, t.conn.Err()
		}
	}
	return p.Reply, nil
}

// answered judges an answer. again means that the same transaction has to be sent once more.
func (s *session) answered(call *Call, t *transaction, reply *rpc.Reply) (again bool, err error) {
	err = decodeCompound(reply, append([]Op{t.seqOp}, call.Ops...))
	if call.Keep && err == nil {
		call.reply = reply
	} else {
		defer reply.Release()
	}
	var failed *OpError
	if errors.As(err, &failed) && failed.Index == 0 {
		return s.sequenceFailed(call, t, failed.Status)
	}
	s.lastUsed.Store(time.Now().UnixNano())
	var denied *rpc.DeniedError
	if !errors.As(err, &denied) {
		t.slot.seq++
	}
	s.slots <- t.slot
	if failed != nil {
		failed.Index--
		if failed.Status == ErrRetryUncachedRep {
			call.Uncertain = true
			return false, errRetry
		}
	}
	if t.seqOp.flags&(flagExpiredAll|flagExpiredSome|flagAdminRevoked|flagReclaimNeeded) != 0 {
		s.c.stateLost(s)
	}
	return false, err
}

func (s *session) sequenceFailed(call *Call, t *transaction, st Status) (bool, error) {
	switch {
	case st == ErrDelay:
		return true, nil
	case st == ErrRetryUncachedRep:
		t.slot.seq++
		s.slots <- t.slot
		call.Uncertain = true
		return false, errRetry
	case st.lostSession():
		call.Uncertain = call.Uncertain || t.sends > 1
		if s.kill() {
			s.c.logf("server %s: session lost: %s", s.c.cfg.Addr, st)
		}
		return false, errSessionLost
	}
	s.slots <- t.slot
	return false, &OpError{0, t.seqOp, st}
}

// once makes a call over a given connection, for the time before the session is open to everybody.
func (s *session) once(conn *rpc.Conn, call *Call) error {
	for {
		sl := <-s.slots
		t := s.encode(call, sl)
		t.send(conn)
		reply, err := t.await(Deadline(s.c.closed))
		if err != nil {
			return err
		}
		again, err := s.answered(call, t, reply)
		if !again {
			return err
		}
		s.slots <- sl
		time.Sleep(replayInterval)
	}
}
