package fakenfs

import (
	"encoding/binary"
	"math/bits"

	"mlops.platform/lab/nfsfuse/internal/xdr"
)

var defs map[uint32]opDef

func init() {
	defs = map[uint32]opDef{
		3: {"ACCESS", opAccess}, 4: {"CLOSE", opClose}, 5: {"COMMIT", opCommit}, 6: {"CREATE", opCreate},
		9: {"GETATTR", opGetattr}, 10: {"GETFH", opGetfh}, 11: {"LINK", opLink}, 15: {"LOOKUP", opLookup},
		18: {"OPEN", opOpen}, 22: {"PUTFH", opPutfh}, 24: {"PUTROOTFH", opPutrootfh}, 25: {"READ", opRead},
		26: {"READDIR", opReaddir}, 28: {"REMOVE", opRemove}, 29: {"RENAME", opRename}, 31: {"RESTOREFH", opRestorefh},
		32: {"SAVEFH", opSavefh}, 34: {"SETATTR", opSetattr}, 37: {"VERIFY", opVerify}, 38: {"WRITE", opWrite},
		42: {"EXCHANGE_ID", opExchangeID}, 43: {"CREATE_SESSION", opCreateSession}, 44: {"DESTROY_SESSION", opDestroySession},
		53: {"SEQUENCE", opSequence}, 57: {"DESTROY_CLIENTID", opDestroyClientID}, 58: {"RECLAIM_COMPLETE", opReclaimComplete},
	}
}

// skipArgs reads over the arguments of an operation.
func skipArgs(x *run, name string) {
	r := x.r
	words := func(n int) {
		for range n {
			r.Uint32()
		}
	}
	attrs := func() {
		words(int(r.Uint32()))
		r.Opaque()
	}
	switch name {
	case "ACCESS":
		words(1)
	case "CLOSE":
		words(5)
	case "COMMIT":
		words(3)
	case "CREATE":
		if r.Uint32() == kindLink {
			_ = r.String()
		}
		_ = r.String()
		attrs()
	case "GETATTR":
		words(int(r.Uint32()))
	case "LINK", "LOOKUP", "REMOVE", "PUTFH":
		r.Opaque()
	case "OPEN":
		readOpen(r)
	case "READ":
		words(4 + 3)
	case "READDIR":
		words(2 + 2 + 2)
		words(int(r.Uint32()))
	case "RENAME":
		r.Opaque()
		r.Opaque()
	case "SETATTR":
		words(4)
		attrs()
	case "VERIFY":
		attrs()
	case "WRITE":
		words(4 + 3)
		r.Opaque()
	case "SEQUENCE":
		words(4 + 4)
	case "RECLAIM_COMPLETE":
		words(1)
	}
}

func (x *run) dir() (*file, uint32) {
	switch {
	case x.cur == nil || x.cur.dead:
		return nil, stale
	case x.cur.kind != kindDir:
		return nil, notdir
	}
	return x.cur, ok
}

func opPutrootfh(x *run) uint32 {
	x.cur = x.s.root
	return ok
}

func opPutfh(x *run) uint32 {
	fh := x.r.Opaque()
	if x.cur = x.s.files[binary.BigEndian.Uint64(fh)]; x.cur == nil {
		return stale
	}
	return ok
}

func opGetfh(x *run) uint32 {
	x.out.Opaque(handle(x.cur))
	return ok
}

func opSavefh(x *run) uint32 {
	x.saved = x.cur
	return ok
}

func opRestorefh(x *run) uint32 {
	x.cur = x.saved
	return ok
}

func opLookup(x *run) uint32 {
	name := x.r.String()
	d, st := x.dir()
	if st != ok {
		return st
	}
	if x.cur = d.children[name]; x.cur == nil {
		return noent
	}
	return ok
}

func opAccess(x *run) uint32 {
	mask := x.r.Uint32()
	x.out.Uint32(mask)
	x.out.Uint32(mask)
	return ok
}

func change(w *xdr.Writer, d *file) {
	d.change++
	w.Bool(false)
	w.Uint64(0)
	w.Uint64(0)
}

func opRemove(x *run) uint32 {
	name := x.r.String()
	d, st := x.dir()
	if st != ok {
		return st
	}
	f := d.children[name]
	if f == nil {
		return noent
	}
	if len(f.children) > 0 {
		return notempty
	}
	delete(d.children, name)
	x.s.unlink(f)
	change(x.out, d)
	return ok
}

func opRename(x *run) uint32 {
	from, to := x.r.String(), x.r.String()
	f := x.saved.children[from]
	if f == nil {
		return noent
	}
	if old := x.cur.children[to]; old != nil && old != f {
		x.s.unlink(old)
	}
	delete(x.saved.children, from)
	x.cur.children[to] = f
	change(x.out, x.saved)
	change(x.out, x.cur)
	return ok
}

func opLink(x *run) uint32 {
	name := x.r.String()
	if x.cur.children[name] != nil {
		return exist
	}
	x.cur.children[name] = x.saved
	x.saved.nlink++
	x.saved.change++
	change(x.out, x.cur)
	return ok
}

func opCreate(x *run) uint32 {
	kind, target := x.r.Uint32(), ""
	if kind == kindLink {
		target = x.r.String()
	}
	name := x.r.String()
	set := readSet(x.r)
	d, st := x.dir()
	if st != ok {
		return st
	}
	if d.children[name] != nil {
		return exist
	}
	f := x.s.newFile(kind)
	f.target = target
	set.apply(f)
	d.children[name] = f
	x.cur = f
	change(x.out, d)
	x.out.Uint32(0)
	return ok
}

// setting are attributes to set; nil means that it was not given.
type setting struct {
	size *uint64
	mode *uint32
}

func (s setting) apply(f *file) {
	if s.size != nil {
		f.resize(int(*s.size))
		f.stable = append([]byte(nil), f.data...)
		f.change++
	}
	if s.mode != nil {
		f.mode = *s.mode
		f.change++
	}
}

// readSet reads the attributes that the client under test sets: size, mode, owners and times.
func readSet(r *xdr.Reader) (s setting) {
	mask := make([]uint32, r.Uint32())
	for i := range mask {
		mask[i] = r.Uint32()
	}
	v := xdr.NewReader(r.Opaque())
	for i, word := range mask {
		for ; word != 0; word &= word - 1 {
			switch 32*i + bits.TrailingZeros32(word) {
			case 4:
				size := v.Uint64()
				s.size = &size
			case 33:
				mode := v.Uint32()
				s.mode = &mode
			case 36, 37:
				_ = v.String()
			case 48, 54:
				if v.Uint32() == 1 {
					v.Uint64()
					v.Uint32()
				}
			}
		}
	}
	return s
}

func opSetattr(x *run) uint32 {
	st := x.state(1)
	set := readSet(x.r)
	if st != ok {
		return st
	}
	set.apply(x.cur)
	x.out.Uint32(0)
	return ok
}

func opVerify(x *run) uint32 {
	if set := readSet(x.r); *set.size != uint64(len(x.cur.data)) {
		return notSame
	}
	return ok
}

func opGetattr(x *run) uint32 {
	mask := make([]uint32, x.r.Uint32())
	for i := range mask {
		mask[i] = x.r.Uint32()
	}
	x.s.attrs(x.out, x.cur, mask)
	return ok
}

// attrs answers those of the wanted attributes that the client under test knows.
func (s *Server) attrs(w *xdr.Writer, f *file, mask []uint32) {
	sent := make([]uint32, len(mask))
	v := xdr.NewWriter(0)
	for i, word := range mask {
		for ; word != 0; word &= word - 1 {
			bit := 32*i + bits.TrailingZeros32(word)
			if s.attr(v, f, bit) {
				sent[i] |= 1 << (bit % 32)
			}
		}
	}
	w.Uint32(uint32(len(sent)))
	for _, word := range sent {
		w.Uint32(word)
	}
	var body []byte
	for _, b := range v.Buffers() {
		body = append(body, b...)
	}
	w.Opaque(body)
}

func (s *Server) attr(v *xdr.Writer, f *file, bit int) bool {
	switch bit {
	case 1:
		v.Uint32(f.kind)
	case 3:
		v.Uint64(f.change)
	case 4, 45:
		v.Uint64(uint64(len(f.data)))
	case 8:
		v.Uint64(1)
		if f == s.root {
			v.Uint64(1)
		} else {
			v.Uint64(2)
		}
	case 10:
		v.Uint32(1)
	case 11:
		v.Uint32(0)
	case 19:
		v.Opaque(handle(f))
	case 20, 55:
		v.Uint64(f.id)
	case 30, 31:
		v.Uint64(1 << 20)
	case 33:
		v.Uint32(f.mode)
	case 35:
		v.Uint32(uint32(f.nlink))
	case 36, 37:
		v.String("0")
	case 47, 52, 53:
		v.Uint64(1)
		v.Uint32(0)
	default:
		return false
	}
	return true
}

func opReaddir(x *run) uint32 {
	cookie := x.r.Uint64()
	x.r.Fixed(8)
	x.r.Uint32()
	x.r.Uint32()
	mask := make([]uint32, x.r.Uint32())
	for i := range mask {
		mask[i] = x.r.Uint32()
	}
	d, st := x.dir()
	if st != ok {
		return st
	}
	x.out.Fixed(make([]byte, 8))
	names, sent := d.names(), 0
	for i, name := range names {
		if uint64(i)+3 <= cookie || sent == 10 {
			continue
		}
		x.out.Bool(true)
		x.out.Uint64(uint64(i) + 3)
		x.out.String(name)
		x.s.attrs(x.out, d.children[name], mask)
		sent++
	}
	x.out.Bool(false)
	x.out.Bool(sent < 10)
	return ok
}
