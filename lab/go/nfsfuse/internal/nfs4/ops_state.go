package nfs4

import "mlops.platform/lab/nfsfuse/internal/xdr"

// StateID names open state on the server.
type StateID struct {
	Seq   uint32
	Other [12]byte
}

// What an open may do.
const (
	ShareRead  uint32 = 1
	ShareWrite uint32 = 2

	wantNoDelegation = 0x0400
)

// Claims of an OPEN.
const (
	claimNull     = 0
	claimPrevious = 1
	claimFH       = 4
)

// CreateMode says what an OPEN does when the file is not there, or there already.
type CreateMode uint32

// NoCreate opens what is there; Unchecked makes the file when it is missing; Exclusive insists on making it and is safe to repeat.
const (
	NoCreate  CreateMode = 100
	Unchecked CreateMode = 0
	Exclusive CreateMode = 3
)

type open struct {
	share    uint32
	owner    []byte
	clientID func() uint64
	claim    uint32
	name     string
	create   CreateMode
	verifier Verifier
	attrs    *SetAttrs

	stateID StateID
	set     Bitmap
}

func (o *open) code() uint32 { return opOpen }

func (o *open) encode(w *xdr.Writer) {
	w.Uint32(0)
	if o.claim == claimPrevious {
		w.Uint32(o.share)
	} else {
		w.Uint32(o.share | wantNoDelegation)
	}
	w.Uint32(0)
	w.Uint64(o.clientID())
	w.Opaque(o.owner)
	if o.create == NoCreate {
		w.Uint32(0)
	} else {
		w.Uint32(1)
		w.Uint32(uint32(o.create))
		if o.create == Exclusive {
			w.Fixed(o.verifier[:])
		}
		o.attrs.write(w)
	}
	w.Uint32(o.claim)
	switch o.claim {
	case claimNull:
		w.String(o.name)
	case claimPrevious:
		w.Uint32(0)
	}
}

func (o *open) decode(r *xdr.Reader) {
	o.stateID = readStateID(r)
	skipChange(r)
	r.Uint32()
	o.set = readBitmap(r)
	switch r.Uint32() {
	case 1:
		skipReadDelegation(r)
	case 2:
		skipWriteDelegation(r)
	case 3:
		if why := r.Uint32(); why == 1 || why == 2 {
			r.Bool()
		}
	}
}

// A delegation is never asked for. A server that gives one nevertheless gets it back by the CLOSE of the file at the latest.
func skipReadDelegation(r *xdr.Reader) {
	readStateID(r)
	r.Bool()
	skipACE(r)
}

func skipWriteDelegation(r *xdr.Reader) {
	readStateID(r)
	r.Bool()
	if r.Uint32() == 1 {
		r.Uint64()
	} else {
		r.Uint32()
		r.Uint32()
	}
	skipACE(r)
}

func skipACE(r *xdr.Reader) {
	r.Uint32()
	r.Uint32()
	r.Uint32()
	r.Opaque()
}

func readStateID(r *xdr.Reader) (s StateID) {
	s.Seq = r.Uint32()
	copy(s.Other[:], r.Fixed(12))
	return s
}

func (s StateID) write(w *xdr.Writer) {
	w.Uint32(s.Seq)
	w.Fixed(s.Other[:])
}

type closeOp struct{ state StateID }

func (o *closeOp) code() uint32 { return opClose }
func (o *closeOp) encode(w *xdr.Writer) {
	w.Uint32(0)
	o.state.write(w)
}
func (o *closeOp) decode(r *xdr.Reader) { readStateID(r) }

type sequence struct {
	session          [16]byte
	seq, slot, highs uint32
	cache            bool
	flags            uint32
}

// Status flags of SEQUENCE that say that state was lost.
const (
	flagExpiredAll    = 0x00000008
	flagExpiredSome   = 0x00000010
	flagAdminRevoked  = 0x00000020
	flagReclaimNeeded = 0x00000100
)

func (o *sequence) code() uint32 { return opSequence }
func (o *sequence) encode(w *xdr.Writer) {
	w.Fixed(o.session[:])
	w.Uint32(o.seq)
	w.Uint32(o.slot)
	w.Uint32(o.highs)
	w.Bool(o.cache)
}
func (o *sequence) decode(r *xdr.Reader) {
	r.Fixed(16)
	for range 4 {
		r.Uint32()
	}
	o.flags = r.Uint32()
}

type exchangeID struct {
	verifier Verifier
	owner    []byte

	clientID  uint64
	seq       uint32
	flags     uint32
	ownerName string
	impl      string
}

func (o *exchangeID) code() uint32 { return opExchangeID }
func (o *exchangeID) encode(w *xdr.Writer) {
	w.Fixed(o.verifier[:])
	w.Opaque(o.owner)
	w.Uint32(0)
	w.Uint32(0)
	w.Uint32(0)
}
func (o *exchangeID) decode(r *xdr.Reader) {
	o.clientID, o.seq, o.flags = r.Uint64(), r.Uint32(), r.Uint32()
	r.Uint32()
	r.Uint64()
	o.ownerName = r.String()
	r.Opaque()
	for n := r.Uint32(); n > 0 && r.Err() == nil; n-- {
		r.Opaque()
		o.impl = r.String()
		readTime(r)
	}
}

// channel are the limits of one direction of a session.
type channel struct{ maxRequest, maxResponse, maxCached, maxOps, maxRequests uint32 }

func (c *channel) write(w *xdr.Writer) {
	for _, v := range []uint32{0, c.maxRequest, c.maxResponse, c.maxCached, c.maxOps, c.maxRequests, 0} {
		w.Uint32(v)
	}
}

func (c *channel) read(r *xdr.Reader) {
	r.Uint32()
	c.maxRequest, c.maxResponse, c.maxCached, c.maxOps, c.maxRequests = r.Uint32(), r.Uint32(), r.Uint32(), r.Uint32(), r.Uint32()
	for n := r.Uint32(); n > 0 && r.Err() == nil; n-- {
		r.Uint32()
	}
}

type createSession struct {
	clientID uint64
	seq      uint32
	fore     channel

	session [16]byte
}

func (o *createSession) code() uint32 { return opCreateSession }
func (o *createSession) encode(w *xdr.Writer) {
	w.Uint64(o.clientID)
	w.Uint32(o.seq)
	w.Uint32(0)
	o.fore.write(w)
	(&channel{maxRequest: 4096, maxResponse: 4096, maxOps: 4, maxRequests: 1}).write(w)
	w.Uint32(0x40000000)
	w.Uint32(1)
	w.Uint32(0)
}
func (o *createSession) decode(r *xdr.Reader) {
	copy(o.session[:], r.Fixed(16))
	r.Uint32()
	r.Uint32()
	o.fore.read(r)
	(&channel{}).read(r)
}

type destroySession struct{ session [16]byte }

func (o *destroySession) code() uint32         { return opDestroySession }
func (o *destroySession) encode(w *xdr.Writer) { w.Fixed(o.session[:]) }
func (o *destroySession) decode(*xdr.Reader)   {}

type destroyClientID struct{ clientID uint64 }

func (o *destroyClientID) code() uint32         { return opDestroyClientID }
func (o *destroyClientID) encode(w *xdr.Writer) { w.Uint64(o.clientID) }
func (o *destroyClientID) decode(*xdr.Reader)   {}

type reclaimComplete struct{}

func (o reclaimComplete) code() uint32         { return opReclaimComplete }
func (o reclaimComplete) encode(w *xdr.Writer) { w.Bool(false) }
func (o reclaimComplete) decode(*xdr.Reader)   {}
