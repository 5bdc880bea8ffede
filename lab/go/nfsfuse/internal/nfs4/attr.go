package nfs4

import (
	"slices"
	"strconv"
	"time"

	"mlops.platform/lab/nfsfuse/internal/xdr"
)

// Numbers of the attributes (RFC 8881, 5.8).
const (
	attrType            = 1
	attrChange          = 3
	attrSize            = 4
	attrFSID            = 8
	attrLeaseTime       = 10
	attrRdattrError     = 11
	attrFilehandle      = 19
	attrFileid          = 20
	attrFilesAvail      = 21
	attrFilesFree       = 22
	attrFilesTotal      = 23
	attrMaxRead         = 30
	attrMaxWrite        = 31
	attrMode            = 33
	attrNumlinks        = 35
	attrOwner           = 36
	attrOwnerGroup      = 37
	attrRawdev          = 41
	attrSpaceAvail      = 42
	attrSpaceFree       = 43
	attrSpaceTotal      = 44
	attrSpaceUsed       = 45
	attrTimeAccess      = 47
	attrTimeAccessSet   = 48
	attrTimeMetadata    = 52
	attrTimeModify      = 53
	attrTimeModifySet   = 54
	attrMountedOnFileid = 55
)

// FileType is an nfs_ftype4.
type FileType uint32

// The types of objects.
const (
	TypeRegular FileType = 1 + iota
	TypeDirectory
	TypeBlock
	TypeChar
	TypeSymlink
	TypeSocket
	TypeFIFO
)

// Bitmap is a set of attribute numbers.
type Bitmap []uint32

func bitmap(bits ...int) Bitmap {
	var b Bitmap
	for _, n := range bits {
		for len(b) <= n/32 {
			b = append(b, 0)
		}
		b[n/32] |= 1 << (n % 32)
	}
	return b
}

// Has tells whether an attribute is in the set.
func (b Bitmap) Has(n int) bool { return n/32 < len(b) && b[n/32]&(1<<(n%32)) != 0 }

func (b Bitmap) write(w *xdr.Writer) {
	w.Uint32(uint32(len(b)))
	for _, v := range b {
		w.Uint32(v)
	}
}

func readBitmap(r *xdr.Reader) Bitmap {
	n := r.Uint32()
	b := make(Bitmap, 0, 3)
	for ; n > 0 && r.Err() == nil; n-- {
		b = append(b, r.Uint32())
	}
	return b
}

// Sets of attributes that are asked for.
var (
	MaskStat = bitmap(attrType, attrChange, attrSize, attrFSID, attrFileid, attrMode, attrNumlinks, attrOwner, attrOwnerGroup,
		attrRawdev, attrSpaceUsed, attrTimeAccess, attrTimeMetadata, attrTimeModify, attrMountedOnFileid)
	MaskReaddir = bitmap(attrType, attrChange, attrSize, attrFSID, attrRdattrError, attrFilehandle, attrFileid, attrMode,
		attrNumlinks, attrOwner, attrOwnerGroup, attrRawdev, attrSpaceUsed, attrTimeAccess, attrTimeMetadata, attrTimeModify,
		attrMountedOnFileid)
	MaskNames  = bitmap(attrType, attrRdattrError, attrFileid, attrMountedOnFileid)
	MaskStatfs = bitmap(attrFilesAvail, attrFilesFree, attrFilesTotal, attrSpaceAvail, attrSpaceFree, attrSpaceTotal)
	MaskServer = bitmap(attrLeaseTime, attrMaxRead, attrMaxWrite)
)

// FSID names a filesystem of the server.
type FSID struct{ Major, Minor uint64 }

// Attr holds the attributes that the client knows. Has tells which of them the server sent.
type Attr struct {
	Has                               Bitmap
	Type                              FileType
	Change, Size, Fileid, Used        uint64
	FSID                              FSID
	FH                                FH
	Error                             Status
	Mode, Nlink, UID, GID             uint32
	Major, Minor                      uint32
	Atime, Mtime, Ctime               time.Time
	FilesAvail, FilesFree, FilesTotal uint64
	SpaceAvail, SpaceFree, SpaceTotal uint64
	MountedOn                         uint64
	LeaseTime                         uint32
	MaxRead, MaxWrite                 uint64
}

const nobody = 65534

// numericID reads an owner that is sent as a number. A name is not translated: this client has no user database of the server.
func numericID(s string) uint32 {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return uint32(n)
	}
	return nobody
}

func readTime(r *xdr.Reader) time.Time {
	sec := int64(r.Uint64())
	return time.Unix(sec, int64(r.Uint32()))
}

// readAttr decodes a fattr4. The values come in the order of their numbers.
func readAttr(r *xdr.Reader, a *Attr) {
	a.Has = readBitmap(r)
	v := xdr.NewReader(r.Opaque())
	for n := range 32 * len(a.Has) {
		if a.Has.Has(n) {
			a.readOne(v, n)
		}
	}
}

func (a *Attr) readOne(v *xdr.Reader, n int) {
	switch n {
	case attrType:
		a.Type = FileType(v.Uint32())
	case attrChange:
		a.Change = v.Uint64()
	case attrSize:
		a.Size = v.Uint64()
	case attrFSID:
		a.FSID = FSID{v.Uint64(), v.Uint64()}
	case attrLeaseTime:
		a.LeaseTime = v.Uint32()
	case attrRdattrError:
		a.Error = Status(v.Uint32())
	case attrFilehandle:
		a.FH = slices.Clone(v.Opaque())
	case attrFileid:
		a.Fileid = v.Uint64()
	case attrFilesAvail:
		a.FilesAvail = v.Uint64()
	case attrFilesFree:
		a.FilesFree = v.Uint64()
	case attrFilesTotal:
		a.FilesTotal = v.Uint64()
	case attrMaxRead:
		a.MaxRead = v.Uint64()
	case attrMaxWrite:
		a.MaxWrite = v.Uint64()
	case attrMode:
		a.Mode = v.Uint32()
	case attrNumlinks:
		a.Nlink = v.Uint32()
	case attrOwner:
		a.UID = numericID(v.String())
	case attrOwnerGroup:
		a.GID = numericID(v.String())
	case attrRawdev:
		a.Major, a.Minor = v.Uint32(), v.Uint32()
	case attrSpaceAvail:
		a.SpaceAvail = v.Uint64()
	case attrSpaceFree:
		a.SpaceFree = v.Uint64()
	case attrSpaceTotal:
		a.SpaceTotal = v.Uint64()
	case attrSpaceUsed:
		a.Used = v.Uint64()
	case attrTimeAccess:
		a.Atime = readTime(v)
	case attrTimeMetadata:
		a.Ctime = readTime(v)
	case attrTimeModify:
		a.Mtime = readTime(v)
	case attrMountedOnFileid:
		a.MountedOn = v.Uint64()
	}
}

// SetTime is a new value of a time: the server's clock when At is zero.
type SetTime struct{ At time.Time }

// SetAttrs are attributes to set. Nil means leave as it is.
type SetAttrs struct {
	Size         *uint64
	Mode         *uint32
	UID, GID     *uint32
	Atime, Mtime *SetTime
}

func (s *SetAttrs) write(w *xdr.Writer) {
	var bits []int
	v := xdr.NewWriter(0)
	if s.Size != nil {
		bits = append(bits, attrSize)
		v.Uint64(*s.Size)
	}
	if s.Mode != nil {
		bits = append(bits, attrMode)
		v.Uint32(*s.Mode)
	}
	if s.UID != nil {
		bits = append(bits, attrOwner)
		v.String(strconv.FormatUint(uint64(*s.UID), 10))
	}
	if s.GID != nil {
		bits = append(bits, attrOwnerGroup)
		v.String(strconv.FormatUint(uint64(*s.GID), 10))
	}
	if s.Atime != nil {
		bits = append(bits, attrTimeAccessSet)
		s.Atime.write(v)
	}
	if s.Mtime != nil {
		bits = append(bits, attrTimeModifySet)
		s.Mtime.write(v)
	}
	bitmap(bits...).write(w)
	w.Opaque(slices.Concat(v.Buffers()...))
}

func (t *SetTime) write(w *xdr.Writer) {
	if t.At.IsZero() {
		w.Uint32(0)
		return
	}
	w.Uint32(1)
	w.Uint64(uint64(t.At.Unix()))
	w.Uint32(uint32(t.At.Nanosecond()))
}
