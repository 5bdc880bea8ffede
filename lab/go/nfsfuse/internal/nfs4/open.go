package nfs4

import (
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"

	"mlops.platform/lab/nfsfuse/internal/rpc"
	"mlops.platform/lab/nfsfuse/internal/xdr"
)

// Open is open state of one file on the server. Several users may share it.
type Open struct {
	c     *Client
	fh    FH
	cred  *rpc.Cred
	share uint32
	owner []byte
	state atomic.Pointer[openState]
	mu    sync.Mutex // serialises winning the state back
}

// openState is replaced, never changed.
type openState struct {
	id   StateID
	lost bool
}

// write writes the stateid, with the sequence number that means "the current one". A nil Open is the anonymous stateid.
func (o *Open) write(w *xdr.Writer) {
	var id StateID
	if o != nil {
		id = o.state.Load().id
	}
	w.Uint32(0)
	w.Fixed(id.Other[:])
}

// Cred is the identity that the file was opened with.
func (o *Open) Cred() *rpc.Cred { return o.cred }

func (o *Open) markLost(seen *openState) {
	o.state.CompareAndSwap(seen, &openState{id: seen.id, lost: true})
}

// ensure returns state that is not known to be lost, and opens the file again if it has to.
func (o *Open) ensure(intr *Intr) (*openState, error) {
	if st := o.state.Load(); !st.lost {
		return st, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if st := o.state.Load(); !st.lost {
		return st, nil
	}
	op := o.c.openOp(claimFH, o.owner, o.share)
	if err := o.c.Do(&Call{Cred: o.cred, Ops: []Op{PutFH{o.fh}, op}, Intr: intr}); err != nil {
		o.c.logf("file cannot be opened again: %v", err)
		return nil, err
	}
	st := &openState{id: op.stateID}
	o.state.Store(st)
	return st, nil
}

func (c *Client) openOp(claim uint32, owner []byte, share uint32) *open {
	return &open{share: share, owner: owner, clientID: c.id.clientID.Load, claim: claim, create: NoCreate}
}

func newOwner() []byte {
	b := make([]byte, 16)
	rand.Read(b)
	return b
}

func (c *Client) register(o *Open) *Open {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opens[o] = struct{}{}
	return o
}

// OpenFH opens a file by its handle and reads its attributes.
func (c *Client) OpenFH(fh FH, share uint32, cred *rpc.Cred, intr *Intr) (*Open, *Attr, error) {
	owner := newOwner()
	op := c.openOp(claimFH, owner, share)
	attr := &GetAttr{Mask: MaskStat}
	call := &Call{Cred: cred, Ops: []Op{PutFH{fh}, op, attr}, Once: true, Main: 2, Intr: intr}
	err := c.Do(call)
	if err != nil && !After(err, 2) {
		return nil, nil, err
	}
	o := &Open{c: c, fh: fh, cred: cred, share: share, owner: owner}
	o.state.Store(&openState{id: op.stateID})
	c.register(o)
	if err != nil {
		if err = c.Do(&Call{Cred: cred, Ops: []Op{PutFH{fh}, attr}, Intr: intr}); err != nil {
			c.CloseOpen(o)
			return nil, nil, err
		}
	}
	return o, &attr.Attr, nil
}

// Created is a file that was made or opened by name.
type Created struct {
	Open *Open
	FH   FH
	Attr *Attr
}

// Create opens a file by name and makes it where mode says so.
func (c *Client) Create(dir FH, name string, mode CreateMode, attrs *SetAttrs, share uint32, cred *rpc.Cred, intr *Intr) (*Created, error) {
	op := c.openOp(claimNull, newOwner(), share)
	op.name, op.create, op.attrs = name, mode, attrs
	rand.Read(op.verifier[:])
	var fh GetFH
	attr := &GetAttr{Mask: MaskStat}
	ops := []Op{PutFH{dir}, op, &fh}
	if mode == Exclusive {
		// Servers keep the verifier in the times of the file.
		ops = append(ops, &SetAttr{Attrs: &SetAttrs{Atime: &SetTime{}, Mtime: &SetTime{}}})
	}
	call := &Call{Cred: cred, Ops: append(ops, attr), Once: true, Main: 3, Intr: intr}
	err := c.Do(call)
	if err != nil && !After(err, 3) {
		return nil, err
	}
	o := &Open{c: c, fh: fh.FH, cred: cred, share: share, owner: op.owner}
	o.state.Store(&openState{id: op.stateID})
	c.register(o)
	if err != nil {
		if err = c.Do(&Call{Cred: cred, Ops: []Op{PutFH(fh), attr}, Intr: intr}); err != nil {
			c.CloseOpen(o)
			return nil, err
		}
	}
	return &Created{o, fh.FH, &attr.Attr}, nil
}

// CloseOpen gives open state back.
func (c *Client) CloseOpen(o *Open) {
	c.mu.Lock()
	delete(c.opens, o)
	c.mu.Unlock()
	st := o.state.Load()
	if st.lost {
		return
	}
	err := c.Do(&Call{Cred: o.cred, Ops: []Op{PutFH{o.fh}, &closeOp{st.id}}})
	if err != nil && !anyStatus(err, Status.lostState) && !Failed(err, ErrStale) {
		c.logf("close: %v", err)
	}
}

func anyStatus(err error, is func(Status) bool) bool {
	var failed *OpError
	return errors.As(err, &failed) && is(failed.Status)
}
