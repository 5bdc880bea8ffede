package vfs

import (
	"math"
	"slices"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// extent is data that the server has and may still lose.
type extent struct {
	off      uint64
	data     []byte
	verifier nfs4.Verifier
	seq      uint64
}

func (e extent) end() uint64 { return e.off + uint64(len(e.data)) }

// extents are kept sorted and never overlap: newer data replaces older.
type extents struct {
	list  []extent
	bytes int
}

// end is where the last of them ends.
func (x *extents) end() uint64 {
	if len(x.list) == 0 {
		return 0
	}
	return x.list[len(x.list)-1].end()
}

// find returns the index of the first extent that ends behind off.
func (x *extents) find(off uint64) int {
	i, _ := slices.BinarySearchFunc(x.list, off, func(e extent, off uint64) int {
		if e.end() <= off {
			return -1
		}
		return 1
	})
	return i
}

// cut forgets everything from off up to end.
func (x *extents) cut(off, end uint64) {
	first := x.find(off)
	last := first
	var keep []extent
	for last < len(x.list) && x.list[last].off < end {
		e := x.list[last]
		x.bytes -= len(e.data)
		if e.off < off {
			left := e
			left.data = e.data[:off-e.off]
			keep = append(keep, left)
		}
		if e.end() > end {
			right := e
			right.off, right.data = end, e.data[end-e.off:]
			keep = append(keep, right)
		}
		last++
	}
	for _, e := range keep {
		x.bytes += len(e.data)
	}
	if last > first {
		x.list = slices.Replace(x.list, first, last, keep...)
	}
}

// truncate forgets everything behind size.
func (x *extents) truncate(size uint64) { x.cut(size, math.MaxUint64) }

// add remembers an extent in place of what it overlaps.
func (x *extents) add(e extent) {
	x.cut(e.off, e.end())
	x.list = slices.Insert(x.list, x.find(e.off), e)
	x.bytes += len(e.data)
}

// settle forgets what was written up to seq under a verifier: a COMMIT has made it stable. It returns what is left up to seq.
func (x *extents) settle(seq uint64, v nfs4.Verifier) (left []extent) {
	x.list = slices.DeleteFunc(x.list, func(e extent) bool {
		if e.seq > seq {
			return false
		}
		if e.verifier != v {
			left = append(left, e)
			return false
		}
		x.bytes -= len(e.data)
		return true
	})
	if len(x.list) == 0 {
		x.list = nil
	}
	return left
}
