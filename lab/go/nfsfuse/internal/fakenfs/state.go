package fakenfs

import (
	"encoding/binary"

	"mlops.platform/lab/nfsfuse/internal/xdr"
)

// openArgs are the arguments of an OPEN.
type openArgs struct {
	share    uint32
	create   bool
	mode     uint32
	verifier [8]byte
	set      setting
	claim    uint32
	name     string
}

func readOpen(r *xdr.Reader) (o openArgs) {
	r.Uint32()
	o.share = r.Uint32() & 3
	r.Uint32()
	r.Uint64()
	r.Opaque()
	if o.create = r.Uint32() == 1; o.create {
		if o.mode = r.Uint32(); o.mode == 3 {
			copy(o.verifier[:], r.Fixed(8))
		}
		o.set = readSet(r)
	}
	switch o.claim = r.Uint32(); o.claim {
	case 0:
		o.name = r.String()
	case 1:
		r.Uint32()
	}
	return o
}

func opOpen(x *run) uint32 {
	o := readOpen(x.r)
	switch {
	case o.claim == 1 && !x.s.grace:
		return noGrace
	case o.claim == 1 && !x.s.known[x.session.client.owner]:
		return noGrace
	case o.claim != 1 && x.s.grace:
		return graceStatus
	}
	dir := x.cur
	if o.claim == 0 {
		if st := x.named(o); st != ok {
			return st
		}
	}
	if x.cur.dead {
		return stale
	}
	if x.cur.kind == kindDir {
		return isdir
	}
	x.s.lastID++
	var other [12]byte
	binary.BigEndian.PutUint64(other[4:], x.s.lastID)
	x.s.opens[other] = &open{x.session.client, x.cur, o.share}
	x.out.Uint32(1)
	x.out.Fixed(other[:])
	change(x.out, dir)
	x.out.Uint32(0)
	x.out.Uint32(0)
	x.out.Uint32(0)
	return ok
}

// named goes to the file of an OPEN by name and makes it where that is wanted.
func (x *run) named(o openArgs) uint32 {
	d, st := x.dir()
	if st != ok {
		return st
	}
	f := d.children[o.name]
	switch {
	case f == nil && !o.create:
		return noent
	case f == nil:
		f = x.s.newFile(kindFile)
		f.verifier = o.verifier
		d.children[o.name] = f
		o.set.apply(f)
	case o.create && o.mode == 3 && f.verifier != o.verifier:
		return exist
	case o.create && o.mode == 0 && o.set.size != nil:
		setting{size: o.set.size}.apply(f)
	}
	x.cur = f
	return ok
}

// state reads a stateid and checks that it allows what is to be done.
func (x *run) state(share uint32) uint32 {
	x.r.Uint32()
	var other [12]byte
	copy(other[:], x.r.Fixed(12))
	if other == [12]byte{} {
		return ok
	}
	o := x.s.opens[other]
	if o == nil || o.file != x.cur || o.client != x.session.client {
		return badStateID
	}
	return ok
}

func opClose(x *run) uint32 {
	x.r.Uint32()
	x.r.Uint32()
	var other [12]byte
	copy(other[:], x.r.Fixed(12))
	if x.s.opens[other] == nil {
		return badStateID
	}
	delete(x.s.opens, other)
	x.out.Uint32(0)
	x.out.Fixed(other[:])
	return ok
}

func opRead(x *run) uint32 {
	st := x.state(1)
	off, count := int(x.r.Uint64()), int(x.r.Uint32())
	if st != ok {
		return st
	}
	data := x.cur.data
	off = min(off, len(data))
	end := min(off+count, len(data))
	x.out.Bool(end == len(data))
	x.out.Opaque(data[off:end])
	return ok
}

func (x *run) writeVerifier() {
	x.out.Fixed(binary.BigEndian.AppendUint64(nil, x.s.boot))
}

func opWrite(x *run) uint32 {
	st := x.state(2)
	off, stable := int(x.r.Uint64()), x.r.Uint32()
	data := x.r.Opaque()
	if st != ok {
		return st
	}
	x.cur.write(off, data)
	if stable != 0 {
		x.cur.stable = append([]byte(nil), x.cur.data...)
	}
	x.out.Uint32(uint32(len(data)))
	x.out.Uint32(stable)
	x.writeVerifier()
	return ok
}

func opCommit(x *run) uint32 {
	x.r.Uint64()
	x.r.Uint32()
	x.cur.stable = append([]byte(nil), x.cur.data...)
	x.writeVerifier()
	return ok
}
