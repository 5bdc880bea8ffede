package nfs4

import (
	"slices"

	"mlops.platform/lab/nfsfuse/internal/xdr"
)

// Numbers of the operations.
const (
	opAccess          = 3
	opClose           = 4
	opCommit          = 5
	opCreate          = 6
	opGetattr         = 9
	opGetfh           = 10
	opLink            = 11
	opLookup          = 15
	opOpen            = 18
	opPutfh           = 22
	opPutrootfh       = 24
	opRead            = 25
	opReaddir         = 26
	opReadlink        = 27
	opRemove          = 28
	opRename          = 29
	opRestorefh       = 31
	opSavefh          = 32
	opSetattr         = 34
	opVerify          = 37
	opWrite           = 38
	opExchangeID      = 42
	opCreateSession   = 43
	opDestroySession  = 44
	opSequence        = 53
	opDestroyClientID = 57
	opReclaimComplete = 58
)

var opNames = map[uint32]string{
	opAccess: "ACCESS", opClose: "CLOSE", opCommit: "COMMIT", opCreate: "CREATE", opGetattr: "GETATTR", opGetfh: "GETFH",
	opLink: "LINK", opLookup: "LOOKUP", opOpen: "OPEN", opPutfh: "PUTFH", opPutrootfh: "PUTROOTFH", opRead: "READ",
	opReaddir: "READDIR", opReadlink: "READLINK", opRemove: "REMOVE", opRename: "RENAME", opRestorefh: "RESTOREFH",
	opSavefh: "SAVEFH", opSetattr: "SETATTR", opVerify: "VERIFY", opWrite: "WRITE", opExchangeID: "EXCHANGE_ID",
	opCreateSession: "CREATE_SESSION", opDestroySession: "DESTROY_SESSION", opSequence: "SEQUENCE",
	opDestroyClientID: "DESTROY_CLIENTID", opReclaimComplete: "RECLAIM_COMPLETE",
}

// Op is one operation of a compound. encode writes its arguments, decode reads its results into it.
type Op interface {
	code() uint32
	encode(w *xdr.Writer)
	decode(r *xdr.Reader)
}

// FH is a file handle.
type FH []byte

// Verifier marks an incarnation of a server or a client.
type Verifier [8]byte

func readVerifier(r *xdr.Reader) (v Verifier) {
	copy(v[:], r.Fixed(8))
	return v
}

// plain is an operation without arguments and results.
type plain uint32

func (p plain) code() uint32         { return uint32(p) }
func (p plain) encode(*xdr.Writer)   {}
func (p plain) decode(r *xdr.Reader) {}

// Operations without arguments and results.
const (
	PutRootFH = plain(opPutrootfh)
	SaveFH    = plain(opSavefh)
	RestoreFH = plain(opRestorefh)
)

// PutFH makes a file handle the current one.
type PutFH struct{ FH FH }

func (o PutFH) code() uint32         { return opPutfh }
func (o PutFH) encode(w *xdr.Writer) { w.Opaque(o.FH) }
func (o PutFH) decode(*xdr.Reader)   {}

// GetFH reads the current file handle.
type GetFH struct{ FH FH }

func (o *GetFH) code() uint32         { return opGetfh }
func (o *GetFH) encode(*xdr.Writer)   {}
func (o *GetFH) decode(r *xdr.Reader) { o.FH = slices.Clone(r.Opaque()) }

// Lookup goes from a directory to one of its entries.
type Lookup struct{ Name string }

func (o Lookup) code() uint32         { return opLookup }
func (o Lookup) encode(w *xdr.Writer) { w.String(o.Name) }
func (o Lookup) decode(*xdr.Reader)   {}

// GetAttr reads attributes.
type GetAttr struct {
	Mask Bitmap
	Attr Attr
}

func (o *GetAttr) code() uint32         { return opGetattr }
func (o *GetAttr) encode(w *xdr.Writer) { o.Mask.write(w) }
func (o *GetAttr) decode(r *xdr.Reader) { readAttr(r, &o.Attr) }

// SetAttr sets attributes. Open may be nil.
type SetAttr struct {
	Open  *Open
	Attrs *SetAttrs
}

func (o *SetAttr) code() uint32 { return opSetattr }
func (o *SetAttr) encode(w *xdr.Writer) {
	o.Open.write(w)
	o.Attrs.write(w)
}
func (o *SetAttr) decode(r *xdr.Reader) { readBitmap(r) }

// Verify fails with ErrNotSame unless the file has this size.
type Verify struct{ Size uint64 }

func (o Verify) code() uint32         { return opVerify }
func (o Verify) encode(w *xdr.Writer) { (&SetAttrs{Size: &o.Size}).write(w) }
func (o Verify) decode(*xdr.Reader)   {}

// Bits of Access.
const (
	AccessRead    = 0x01
	AccessLookup  = 0x02
	AccessModify  = 0x04
	AccessExtend  = 0x08
	AccessDelete  = 0x10
	AccessExecute = 0x20
)

// Access asks what the caller may do.
type Access struct{ Mask, Supported, Granted uint32 }

func (o *Access) code() uint32         { return opAccess }
func (o *Access) encode(w *xdr.Writer) { w.Uint32(o.Mask) }
func (o *Access) decode(r *xdr.Reader) { o.Supported, o.Granted = r.Uint32(), r.Uint32() }

// Read reads from a file. Data is part of the reply.
type Read struct {
	Open   *Open
	Offset uint64
	Count  uint32
	EOF    bool
	Data   []byte
}

func (o *Read) code() uint32 { return opRead }
func (o *Read) encode(w *xdr.Writer) {
	o.Open.write(w)
	w.Uint64(o.Offset)
	w.Uint32(o.Count)
}
func (o *Read) decode(r *xdr.Reader) { o.EOF, o.Data = r.Bool(), r.Opaque() }

// How stable a write is.
const (
	Unstable uint32 = iota
	DataSync
	FileSync
)

// Write writes to a file. Data must not change before the call ended.
type Write struct {
	Open      *Open
	Offset    uint64
	Stable    uint32
	Data      []byte
	Count     uint32
	Committed uint32
	Verifier  Verifier
}

func (o *Write) code() uint32 { return opWrite }
func (o *Write) encode(w *xdr.Writer) {
	o.Open.write(w)
	w.Uint64(o.Offset)
	w.Uint32(o.Stable)
	w.Payload(o.Data)
}
func (o *Write) decode(r *xdr.Reader) {
	o.Count, o.Committed, o.Verifier = r.Uint32(), r.Uint32(), readVerifier(r)
}

// Commit makes everything written so far stable.
type Commit struct{ Verifier Verifier }

func (o *Commit) code() uint32 { return opCommit }
func (o *Commit) encode(w *xdr.Writer) {
	w.Uint64(0)
	w.Uint32(0)
}
func (o *Commit) decode(r *xdr.Reader) { o.Verifier = readVerifier(r) }

func skipChange(r *xdr.Reader) {
	r.Bool()
	r.Uint64()
	r.Uint64()
}

// Create makes anything but a regular file.
type Create struct {
	Type         FileType
	Name         string
	Target       string
	Major, Minor uint32
	Attrs        *SetAttrs
}

func (o *Create) code() uint32 { return opCreate }
func (o *Create) encode(w *xdr.Writer) {
	w.Uint32(uint32(o.Type))
	switch o.Type {
	case TypeSymlink:
		w.String(o.Target)
	case TypeBlock, TypeChar:
		w.Uint32(o.Major)
		w.Uint32(o.Minor)
	}
	w.String(o.Name)
	o.Attrs.write(w)
}
func (o *Create) decode(r *xdr.Reader) {
	skipChange(r)
	readBitmap(r)
}

// Remove removes an entry of a directory.
type Remove struct{ Name string }

func (o Remove) code() uint32         { return opRemove }
func (o Remove) encode(w *xdr.Writer) { w.String(o.Name) }
func (o Remove) decode(r *xdr.Reader) { skipChange(r) }

// Rename moves an entry from the saved directory to the current one.
type Rename struct{ From, To string }

func (o Rename) code() uint32 { return opRename }
func (o Rename) encode(w *xdr.Writer) {
	w.String(o.From)
	w.String(o.To)
}
func (o Rename) decode(r *xdr.Reader) {
	skipChange(r)
	skipChange(r)
}

// Link makes the saved file an entry of the current directory.
type Link struct{ Name string }

func (o Link) code() uint32         { return opLink }
func (o Link) encode(w *xdr.Writer) { w.String(o.Name) }
func (o Link) decode(r *xdr.Reader) { skipChange(r) }

// ReadLink reads a symbolic link.
type ReadLink struct{ Target string }

func (o *ReadLink) code() uint32         { return opReadlink }
func (o *ReadLink) encode(*xdr.Writer)   {}
func (o *ReadLink) decode(r *xdr.Reader) { o.Target = r.String() }

// Entry is one entry of a directory.
type Entry struct {
	Cookie uint64
	Name   string
	Attr   Attr
}

// ReadDir reads a part of a directory.
type ReadDir struct {
	Cookie   uint64
	Verifier Verifier
	Count    uint32
	Mask     Bitmap
	Entries  []Entry
	EOF      bool
}

func (o *ReadDir) code() uint32 { return opReaddir }
func (o *ReadDir) encode(w *xdr.Writer) {
	w.Uint64(o.Cookie)
	w.Fixed(o.Verifier[:])
	w.Uint32(o.Count)
	w.Uint32(o.Count)
	o.Mask.write(w)
}
func (o *ReadDir) decode(r *xdr.Reader) {
	o.Verifier, o.Entries = readVerifier(r), nil
	for r.Bool() && r.Err() == nil {
		e := Entry{Cookie: r.Uint64(), Name: r.String()}
		readAttr(r, &e.Attr)
		o.Entries = append(o.Entries, e)
	}
	o.EOF = r.Bool()
}
