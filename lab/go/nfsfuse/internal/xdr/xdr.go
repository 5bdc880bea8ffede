// Package xdr encodes and decodes the External Data Representation (RFC 4506) as ONC RPC and NFS use it.
package xdr

import (
	"encoding/binary"
	"errors"
	"net"
)

// ErrShort says that a message ended before the value that was to be read from it.
var ErrShort = errors.New("xdr: message too short or malformed")

// Writer appends values. Large payloads are referenced, not copied.
type Writer struct {
	buf      []byte
	payloads []payload
	extra    int
}

type payload struct {
	at   int
	data []byte
}

// NewWriter returns a Writer whose first bytes are left free for a record mark of the caller.
func NewWriter(reserve int) *Writer {
	return &Writer{buf: make([]byte, reserve, 512)}
}

// Uint32 appends an unsigned int.
func (w *Writer) Uint32(v uint32) { w.buf = binary.BigEndian.AppendUint32(w.buf, v) }

// Uint64 appends an unsigned hyper.
func (w *Writer) Uint64(v uint64) { w.buf = binary.BigEndian.AppendUint64(w.buf, v) }

// Bool appends a boolean.
func (w *Writer) Bool(v bool) {
	if v {
		w.Uint32(1)
	} else {
		w.Uint32(0)
	}
}

// Fixed appends opaque data of a length that both sides know.
func (w *Writer) Fixed(b []byte) {
	w.buf = append(w.buf, b...)
	w.pad(len(b))
}

// Opaque appends opaque data with its length.
func (w *Writer) Opaque(b []byte) {
	w.Uint32(uint32(len(b)))
	w.Fixed(b)
}

// String appends a string.
func (w *Writer) String(s string) {
	w.Uint32(uint32(len(s)))
	w.buf = append(w.buf, s...)
	w.pad(len(s))
}

// Payload appends opaque data with its length by reference: the caller must not change it until the message was sent.
func (w *Writer) Payload(b []byte) {
	w.Uint32(uint32(len(b)))
	w.payloads = append(w.payloads, payload{len(w.buf), b})
	w.extra += len(b)
	w.pad(len(b))
}

// Raw appends bytes that are encoded already.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }

// PutUint32 overwrites the value at an offset within the part that is not payload.
func (w *Writer) PutUint32(at int, v uint32) { binary.BigEndian.PutUint32(w.buf[at:], v) }

// Offset is the place where the next value goes, payloads not counted.
func (w *Writer) Offset() int { return len(w.buf) }

// Len is the size of the whole message.
func (w *Writer) Len() int { return len(w.buf) + w.extra }

// Buffers returns the message as pieces. The pieces stay valid and may be sent again.
func (w *Writer) Buffers() net.Buffers {
	out := make(net.Buffers, 0, 2*len(w.payloads)+1)
	from := 0
	for _, p := range w.payloads {
		out = append(out, w.buf[from:p.at], p.data)
		from = p.at
	}
	return append(out, w.buf[from:])
}

func (w *Writer) pad(n int) {
	for ; n%4 != 0; n++ {
		w.buf = append(w.buf, 0)
	}
}

// Reader takes values off a message. The first error sticks; values after it are zero.
type Reader struct {
	buf []byte
	err error
}

// NewReader reads from b, which must not change while slices from it are in use.
func NewReader(b []byte) *Reader { return &Reader{buf: b} }

// Err is the first error.
func (r *Reader) Err() error { return r.err }

// Len is the number of bytes left.
func (r *Reader) Len() int { return len(r.buf) }

func (r *Reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.buf) {
		r.err = ErrShort
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

// Uint32 reads an unsigned int.
func (r *Reader) Uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads an unsigned hyper.
func (r *Reader) Uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Bool reads a boolean.
func (r *Reader) Bool() bool { return r.Uint32() != 0 }

// Fixed reads opaque data of known length. The result is part of the message.
func (r *Reader) Fixed(n int) []byte {
	b := r.take(n)
	if rest := n % 4; rest != 0 {
		r.take(4 - rest)
	}
	return b
}

// Opaque reads opaque data with its length. The result is part of the message.
func (r *Reader) Opaque() []byte {
	n := r.Uint32()
	if uint64(n) > uint64(len(r.buf)) {
		r.err = ErrShort
		return nil
	}
	return r.Fixed(int(n))
}

// String reads a string.
func (r *Reader) String() string { return string(r.Opaque()) }
