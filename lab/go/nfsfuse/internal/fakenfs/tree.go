// Package fakenfs is an NFSv4.1 server in memory for tests. It exists to inject faults: lost answers, busy answers, lost sessions,
// and restarts that lose everything that was not made stable.
package fakenfs

import (
	"encoding/binary"
	"maps"
	"slices"
)

// file is an object of the tree. Data is what clients see; stable is what a crash leaves.
type file struct {
	id       uint64
	kind     uint32
	mode     uint32
	data     []byte
	stable   []byte
	target   string
	children map[string]*file
	nlink    int
	change   uint64
	verifier [8]byte // of an exclusive create
	dead     bool
}

const (
	kindFile = 1
	kindDir  = 2
	kindLink = 5
)

func (s *Server) newFile(kind uint32) *file {
	s.lastID++
	f := &file{id: s.lastID, kind: kind, nlink: 1, mode: 0o644, change: s.lastID << 20}
	if kind == kindDir {
		f.children, f.mode = map[string]*file{}, 0o755
	}
	s.files[f.id] = f
	return f
}

func handle(f *file) []byte { return binary.BigEndian.AppendUint64(nil, f.id) }

func (f *file) names() []string { return slices.Sorted(maps.Keys(f.children)) }

func (f *file) resize(size int) {
	if size <= len(f.data) {
		f.data = f.data[:size:size]
	} else {
		f.data = append(slices.Clone(f.data), make([]byte, size-len(f.data))...)
	}
}

func (f *file) write(off int, data []byte) {
	if end := off + len(data); end > len(f.data) {
		f.resize(end)
	} else {
		f.data = slices.Clone(f.data)
	}
	copy(f.data[off:], data)
	f.change++
}

func (s *Server) unlink(f *file) {
	if f.nlink--; f.nlink == 0 {
		f.dead = true
		delete(s.files, f.id)
	}
}

// lookup walks a path of names.
func (s *Server) lookup(names ...string) *file {
	f := s.root
	for _, n := range names {
		if f = f.children[n]; f == nil {
			return nil
		}
	}
	return f
}
