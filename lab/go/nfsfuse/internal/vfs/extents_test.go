package vfs

import (
	"math/rand"
	"testing"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// TestExtentsAgainstAModel compares with an array that knows for each byte its value and who wrote it.
func TestExtentsAgainstAModel(t *testing.T) {
	const size = 400
	type cell struct {
		value byte
		seq   uint64
		v     byte
	}
	random := rand.New(rand.NewSource(1))
	for range 200 {
		var x extents
		var model [size]cell
		for seq := uint64(1); seq < 60; seq++ {
			off := random.Intn(size - 1)
			n := 1 + random.Intn(size-off)
			switch random.Intn(6) {
			case 0:
				x.truncate(uint64(off))
				clear(model[off:])
			case 1:
				x.cut(uint64(off), uint64(off+n))
				clear(model[off : off+n])
			case 2:
				limit, v := uint64(random.Intn(60)), byte(1+random.Intn(2))
				x.settle(limit, nfs4.Verifier{v})
				for i, c := range model {
					if c.seq <= limit && c.v == v {
						model[i] = cell{}
					}
				}
			default:
				v := byte(1 + random.Intn(2))
				data := make([]byte, n)
				random.Read(data)
				x.add(extent{uint64(off), data, nfs4.Verifier{v}, seq})
				for i, b := range data {
					model[off+i] = cell{b, seq, v}
				}
			}
			var got [size]cell
			bytes, end := 0, uint64(0)
			for _, e := range x.list {
				if e.off < end || len(e.data) == 0 {
					t.Fatalf("extents overlap or are empty: %v", x.list)
				}
				end = e.end()
				bytes += len(e.data)
				for i, b := range e.data {
					got[int(e.off)+i] = cell{b, e.seq, e.verifier[0]}
				}
			}
			if got != model {
				t.Fatal("content differs")
			}
			if bytes != x.bytes {
				t.Fatalf("%d bytes counted, there are %d", x.bytes, bytes)
			}
		}
	}
}
