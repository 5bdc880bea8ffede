package fakenfs

import (
	"encoding/binary"
	"slices"

	"mlops.platform/lab/nfsfuse/internal/xdr"
)

// Statuses that the fake answers by itself.
const (
	ok               = 0
	noent            = 2
	exist            = 17
	notdir           = 20
	isdir            = 21
	notempty         = 66
	stale            = 70
	notsupp          = 10004
	graceStatus      = 10013
	staleClientID    = 10022
	badStateID       = 10025
	notSame          = 10027
	noGrace          = 10033
	badSession       = 10052
	completeAlready  = 10054
	seqMisordered    = 10063
	retryUncachedRep = 10068
)

type opDef struct {
	name string
	run  func(*run) uint32
}

// run is one compound being run.
type run struct {
	s       *Server
	r       *xdr.Reader
	out     *xdr.Writer
	cur     *file
	saved   *file
	session *session
	slot    *slot
	cache   bool
	replay  []byte
}

// compound runs all operations of a request. The whole request is decoded by running it, so the names for the Fault are found by a
// scan that knows only where the operations begin.
func (s *Server) compound(r *xdr.Reader, uid uint32) []byte {
	n := int(r.Uint32())
	act := s.judge(&Request{Ops: scan(*r, n), UID: uid, Replay: s.isReplay(*r)})
	if act.Wait != nil {
		<-act.Wait
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if act.Drop {
		return nil
	}
	body := s.execute(r, n, act)
	if act.After != nil {
		act.After()
	}
	if act.Mute {
		return nil
	}
	return body
}

func (s *Server) judge(req *Request) *Action {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == nil {
		return &Action{}
	}
	act := s.fault(req)
	if act == nil {
		return &Action{}
	}
	if act.Before != nil {
		act.Before()
	}
	return act
}

// isReplay tells whether a request repeats the last one of its slot.
func (s *Server) isReplay(r xdr.Reader) bool {
	if r.Uint32() != 53 {
		return false
	}
	var id [16]byte
	copy(id[:], r.Fixed(16))
	seq, slotID := r.Uint32(), r.Uint32()
	s.mu.Lock()
	defer s.mu.Unlock()
	sess := s.sessions[id]
	return sess != nil && int(slotID) < len(sess.slots) && sess.slots[slotID].seq == seq
}

// scan runs the operations against nothing to learn their names.
func scan(r xdr.Reader, n int) []string {
	var names []string
	dry := &run{r: &r, out: xdr.NewWriter(0)}
	for range n {
		def, found := defs[r.Uint32()]
		if !found {
			break
		}
		names = append(names, def.name)
		skipArgs(dry, def.name)
	}
	return names
}

func (s *Server) execute(r *xdr.Reader, n int, act *Action) []byte {
	results := xdr.NewWriter(0)
	x := &run{s: s, r: r, out: results}
	status, done := uint32(ok), 0
	for range n {
		code := r.Uint32()
		def, found := defs[code]
		if !found {
			panic("fakenfs: unknown operation")
		}
		s.counts[def.name]++
		results.Uint32(code)
		at := results.Offset()
		results.Uint32(ok)
		if act.Fail != 0 && act.At == def.name {
			status = act.Fail
		} else {
			status = def.run(x)
		}
		done++
		if x.replay != nil {
			return x.replay
		}
		results.PutUint32(at, status)
		if status != ok {
			break
		}
	}
	w := xdr.NewWriter(0)
	w.Uint32(status)
	w.String("")
	w.Uint32(uint32(done))
	w.Raw(slices.Concat(results.Buffers()...))
	body := slices.Concat(w.Buffers()...)
	if x.slot != nil {
		x.slot.reply, x.slot.cached = body, x.cache
	}
	return body
}

func opSequence(x *run) uint32 {
	var id [16]byte
	copy(id[:], x.r.Fixed(16))
	seq, slotID := x.r.Uint32(), x.r.Uint32()
	high := x.r.Uint32()
	cache := x.r.Bool()
	sess := x.s.sessions[id]
	if sess == nil {
		return badSession
	}
	sl := &sess.slots[slotID]
	if seq == sl.seq && sl.reply != nil {
		if !sl.cached {
			return retryUncachedRep
		}
		x.replay = sl.reply
		return ok
	}
	if seq != sl.seq+1 {
		return seqMisordered
	}
	sl.seq = seq
	x.session, x.slot, x.cache = sess, sl, cache
	x.out.Fixed(id[:])
	for _, v := range []uint32{seq, slotID, high, high, 0} {
		x.out.Uint32(v)
	}
	return ok
}

func opExchangeID(x *run) uint32 {
	c := &client{}
	copy(c.verifier[:], x.r.Fixed(8))
	c.owner = x.r.String()
	for range 3 {
		x.r.Uint32()
	}
	flags := uint32(0)
	if old := x.s.clientOf(c.owner); old != nil && old.verifier == c.verifier {
		c, flags = old, 0x80000000
	} else {
		x.s.lastID++
		c.id, c.seq = x.s.boot<<32|x.s.lastID, 1
		x.s.clients[c.id] = c
	}
	x.out.Uint64(c.id)
	x.out.Uint32(c.seq)
	x.out.Uint32(flags)
	x.out.Uint32(0)
	x.out.Uint64(0)
	x.out.String("fake")
	x.out.String("fake")
	x.out.Uint32(0)
	return ok
}

func (s *Server) clientOf(owner string) *client {
	for _, c := range s.clients {
		if c.owner == owner && c.confirmed {
			return c
		}
	}
	return nil
}

func opCreateSession(x *run) uint32 {
	id, seq := x.r.Uint64(), x.r.Uint32()
	x.r.Uint32()
	fore := make([]uint32, 7)
	for i := range fore {
		fore[i] = x.r.Uint32()
	}
	for range 7 + 3 {
		x.r.Uint32()
	}
	c := x.s.clients[id]
	if c == nil {
		return staleClientID
	}
	if seq != c.seq {
		return seqMisordered
	}
	c.seq++
	x.s.confirm(c)
	x.s.lastID++
	sess := &session{client: c, slots: make([]slot, 8)}
	binary.BigEndian.PutUint64(sess.id[:], x.s.boot)
	binary.BigEndian.PutUint64(sess.id[8:], x.s.lastID)
	x.s.sessions[sess.id] = sess
	fore[5] = 8
	x.out.Fixed(sess.id[:])
	x.out.Uint32(seq)
	x.out.Uint32(0)
	for range 2 {
		for _, v := range fore {
			x.out.Uint32(v)
		}
	}
	return ok
}

// confirm makes a client the only one of its owner: what earlier incarnations held is gone.
func (s *Server) confirm(c *client) {
	for id, old := range s.clients {
		if old.owner != c.owner || old == c {
			continue
		}
		delete(s.clients, id)
		for state, o := range s.opens {
			if o.client == old {
				delete(s.opens, state)
			}
		}
	}
	c.confirmed = true
}

func opReclaimComplete(x *run) uint32 {
	x.r.Bool()
	x.s.grace = false
	return ok
}

func opDestroySession(x *run) uint32 {
	var id [16]byte
	copy(id[:], x.r.Fixed(16))
	delete(x.s.sessions, id)
	return ok
}

func opDestroyClientID(x *run) uint32 {
	delete(x.s.clients, x.r.Uint64())
	return ok
}
