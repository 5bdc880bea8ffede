package fakenfs

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"mlops.platform/lab/nfsfuse/internal/xdr"
)

// Action is what becomes of one request.
type Action struct {
	Before func()        // run before the request, for example Crash
	Drop   bool          // end the connection without running the request
	Mute   bool          // run the request, then end the connection without an answer
	After  func()        // run when the request was run, and nothing was answered yet
	Wait   chan struct{} // run the request when this is closed
	Fail   uint32        // answer this status
	At     string        // for this operation
}

// Request describes a request to a Fault.
type Request struct {
	Ops    []string
	UID    uint32
	Replay bool
}

// Has tells whether an operation is part of the request.
func (r *Request) Has(op string) bool { return slices.Contains(r.Ops, op) }

// Server is the fake. Its methods may be called while clients use it.
type Server struct {
	l net.Listener

	mu       sync.Mutex
	fault    func(*Request) *Action
	conns    map[net.Conn]bool
	files    map[uint64]*file
	root     *file
	lastID   uint64
	boot     uint64
	clients  map[uint64]*client
	sessions map[[16]byte]*session
	opens    map[[12]byte]*open
	known    map[string]bool // owners that may reclaim after a crash
	grace    bool
	counts   map[string]int
}

type client struct {
	id        uint64
	owner     string
	verifier  [8]byte
	confirmed bool
	seq       uint32
}

type session struct {
	id     [16]byte
	client *client
	slots  []slot
}

type slot struct {
	seq    uint32
	reply  []byte
	cached bool
}

type open struct {
	client *client
	file   *file
	share  uint32
}

// New starts a server with an empty root and one junction, /export, to another filesystem.
func New(t testing.TB) *Server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{l: l, conns: map[net.Conn]bool{}, files: map[uint64]*file{}, known: map[string]bool{}, counts: map[string]int{}}
	s.root = s.newFile(kindDir)
	s.root.children["export"] = s.newFile(kindDir)
	s.restart()
	go s.accept()
	t.Cleanup(s.Stop)
	return s
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.l.Addr().String() }

// Stop ends it.
func (s *Server) Stop() {
	s.l.Close()
	s.Disconnect()
}

// Fault sets what is asked about every request. It runs with the server locked.
func (s *Server) Fault(f func(*Request) *Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Count is how often an operation ran.
func (s *Server) Count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[op]
}

// Opens is the number of open stateids.
func (s *Server) Opens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.opens)
}

// Content returns a file's data below /export and whether it exists.
func (s *Server) Content(names ...string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.lookup(append([]string{"export"}, names...)...)
	if f == nil {
		return "", false
	}
	return string(f.data), true
}

// Names lists a folder below /export.
func (s *Server) Names(names ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookup(append([]string{"export"}, names...)...).names()
}

// Put makes a file below /export, or changes it, as another client would.
func (s *Server) Put(name, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := s.lookup("export")
	f := dir.children[name]
	if f == nil {
		f = s.newFile(kindFile)
		dir.children[name] = f
	}
	f.data, f.stable = []byte(content), []byte(content)
	f.change += 1000
}

// Disconnect ends all connections.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disconnect()
}

func (s *Server) disconnect() {
	for c := range s.conns {
		c.Close()
	}
}

// Crash restarts the server: sessions, open state and unstable data are lost. Clients that had confirmed may reclaim.
func (s *Server) Crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.CrashLocked()
}

// CrashLocked is Crash for a Fault.
func (s *Server) CrashLocked() {
	for _, f := range s.files {
		f.data = slices.Clone(f.stable)
	}
	s.known = map[string]bool{}
	for _, c := range s.clients {
		if c.confirmed {
			s.known[c.owner] = true
		}
	}
	s.restart()
	s.grace = true
	s.disconnect()
}

// Expire forgets all clients, as after a lease ran out: nothing may be reclaimed, and no data is lost.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ExpireLocked()
}

// ExpireLocked is Expire for a Fault.
func (s *Server) ExpireLocked() {
	boot := s.boot
	s.restart()
	s.boot = boot
	s.known = map[string]bool{}
}

// LoseSessionsLocked forgets the sessions and keeps clients and open state; for a Fault.
func (s *Server) LoseSessionsLocked() { s.sessions = map[[16]byte]*session{} }

// LoseOpensLocked forgets open state only; for a Fault.
func (s *Server) LoseOpensLocked() { s.opens = map[[12]byte]*open{} }

func (s *Server) restart() {
	s.boot++
	s.clients, s.sessions, s.opens = map[uint64]*client{}, map[[16]byte]*session{}, map[[12]byte]*open{}
	s.grace = false
}

func (s *Server) accept() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		go s.serve(c)
	}
}

func (s *Server) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}()
	in := bufio.NewReader(c)
	var writing sync.Mutex
	for {
		var mark [4]byte
		if _, err := io.ReadFull(in, mark[:]); err != nil {
			return
		}
		msg := make([]byte, binary.BigEndian.Uint32(mark[:])&0x7fffffff)
		if _, err := io.ReadFull(in, msg); err != nil {
			return
		}
		go func() {
			reply := s.request(msg)
			if reply == nil {
				c.Close()
				return
			}
			writing.Lock()
			defer writing.Unlock()
			_, _ = c.Write(reply)
		}()
	}
}

// request runs one RPC message and returns the answer with its record mark, or nil to end the connection.
func (s *Server) request(msg []byte) []byte {
	r := xdr.NewReader(msg)
	xid := r.Uint32()
	for range 5 {
		r.Uint32()
	}
	r.Uint32()
	cred := xdr.NewReader(r.Opaque())
	cred.Uint32()
	_ = cred.String()
	uid := cred.Uint32()
	r.Uint32()
	r.Opaque()
	_ = r.String()
	r.Uint32()
	body := s.compound(r, uid)
	if body == nil {
		return nil
	}
	w := xdr.NewWriter(4)
	for _, v := range []uint32{xid, 1, 0, 0, 0, 0} {
		w.Uint32(v)
	}
	w.Raw(body)
	w.PutUint32(0, 0x80000000|uint32(w.Len()-4))
	return slices.Concat(w.Buffers()...)
}
