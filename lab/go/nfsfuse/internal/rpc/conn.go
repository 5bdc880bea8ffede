package rpc

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mlops.platform/lab/nfsfuse/internal/xdr"
)

const (
	maxRecord   = 16 << 20
	pooledSize  = 1<<20 + 16<<10
	pooledAbove = 64 << 10
)

// ErrSilent ends a connection whose server owed answers and sent nothing for too long.
var ErrSilent = errors.New("server sent nothing for too long")

var bigBuffers = sync.Pool{New: func() any { b := make([]byte, pooledSize); return &b }}

// Reply is an answer. Body starts after the xid.
type Reply struct {
	Body []byte
	pool *[]byte
}

// Release gives the memory back. Nothing that was read from Body may be used afterwards.
func (r *Reply) Release() {
	if r.pool != nil {
		bigBuffers.Put(r.pool)
		r.pool, r.Body = nil, nil
	}
}

// Pending is a call that was sent.
type Pending struct {
	Done  chan struct{} // closed when Reply is there
	Reply *Reply
}

// Conn is one connection. Many calls may be in flight. Once it is dead it stays dead.
type Conn struct {
	nc       net.Conn
	writeMu  sync.Mutex
	mu       sync.Mutex
	pending  map[uint32]*Pending
	err      error
	dead     chan struct{}
	lastRecv atomic.Int64
}

// Dial connects. silent is how long a server that owes answers may say nothing before the connection is given up.
func Dial(ctx context.Context, addr string, silent time.Duration) (*Conn, error) {
	d := net.Dialer{Timeout: 3 * time.Second, Control: socketOptions, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	var nc net.Conn
	err := error(unix.EADDRNOTAVAIL)
	// Another connection to this server has, or had until a moment ago, the same port.
	for tries := 0; tries < maxPorts && errors.Is(err, unix.EADDRNOTAVAIL); tries++ {
		nc, err = d.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	c := &Conn{nc: nc, pending: map[uint32]*Pending{}, dead: make(chan struct{})}
	c.lastRecv.Store(time.Now().UnixNano())
	go c.receive()
	go c.watch(silent)
	return c, nil
}

// socketOptions makes unacknowledged data end the connection: a server that lost its power sends no reset.
// It also takes a port below 1024, as a kernel's client does and as exports with "secure" want.
func socketOptions(network, _ string, raw syscall.RawConn) error {
	var err error
	ctlErr := raw.Control(func(fd uintptr) {
		err = errors.Join(
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 20_000),
			// A port that ended connections to other servers is free for this one.
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
			bindReserved(int(fd), network == "tcp6"),
		)
	})
	return errors.Join(ctlErr, err)
}

const firstReserved, lastReserved = 665, 1023

// maxPorts is how many random ports are tried to one server.
const maxPorts = 50

// bindReserved binds to a free reserved port, from a random one on: the last one used may still be in TIME_WAIT.
// Without the right to reserved ports the kernel chooses one.
func bindReserved(fd int, ipv6 bool) error {
	const count = lastReserved - firstReserved + 1
	start := rand.IntN(count)
	for i := range count {
		port := firstReserved + (start+i)%count
		var local unix.Sockaddr = &unix.SockaddrInet4{Port: port}
		if ipv6 {
			local = &unix.SockaddrInet6{Port: port}
		}
		switch err := unix.Bind(fd, local); {
		case err == nil, errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
			return nil
		case !errors.Is(err, unix.EADDRINUSE):
			return err
		}
	}
	return fmt.Errorf("no free port between %d and %d", firstReserved, lastReserved)
}

// Dead is closed when the connection is of no use any more.
func (c *Conn) Dead() <-chan struct{} { return c.dead }

// Err says why the connection died.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// LocalAddr is the client's side.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// Close ends the connection.
func (c *Conn) Close() { c.fail(net.ErrClosed) }

func (c *Conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.dead)
		c.nc.Close()
	}
}

// Send sends a finished call. The answer arrives in the Pending, or Dead is closed.
func (c *Conn) Send(xid uint32, w *xdr.Writer) *Pending {
	p := &Pending{Done: make(chan struct{})}
	c.mu.Lock()
	if len(c.pending) == 0 {
		c.lastRecv.Store(time.Now().UnixNano())
	}
	c.pending[xid] = p
	c.mu.Unlock()
	bufs := w.Buffers()
	c.writeMu.Lock()
	_, err := bufs.WriteTo(c.nc)
	c.writeMu.Unlock()
	if err != nil {
		c.fail(err)
	}
	return p
}

func (c *Conn) receive() {
	in := bufio.NewReaderSize(c.nc, 64<<10)
	for {
		r, xid, err := c.readRecord(in)
		if err != nil {
			c.fail(err)
			return
		}
		c.lastRecv.Store(time.Now().UnixNano())
		c.mu.Lock()
		p := c.pending[xid]
		delete(c.pending, xid)
		c.mu.Unlock()
		if p == nil {
			r.Release()
			continue
		}
		p.Reply = r
		close(p.Done)
	}
}

func (c *Conn) readRecord(in *bufio.Reader) (*Reply, uint32, error) {
	r := &Reply{}
	var have int
	for last := false; !last; {
		var mark [4]byte
		if _, err := io.ReadFull(in, mark[:]); err != nil {
			return nil, 0, err
		}
		m := binary.BigEndian.Uint32(mark[:])
		last = m&0x80000000 != 0
		n := int(m &^ 0x80000000)
		if have+n > maxRecord {
			return nil, 0, fmt.Errorf("record of more than %d bytes", maxRecord)
		}
		r.grow(have, n)
		if _, err := io.ReadFull(in, r.Body[have:have+n]); err != nil {
			return nil, 0, err
		}
		have += n
	}
	if have < 8 {
		return nil, 0, xdr.ErrShort
	}
	xid := binary.BigEndian.Uint32(r.Body)
	r.Body = r.Body[4:]
	return r, xid, nil
}

func (r *Reply) grow(have, n int) {
	switch size := have + n; {
	case have == 0 && size > pooledAbove && size <= pooledSize:
		r.pool = bigBuffers.Get().(*[]byte)
		r.Body = (*r.pool)[:size]
	case have == 0:
		r.Body = make([]byte, size)
	default:
		r.Body = append(r.Body, make([]byte, n)...)
	}
}

// watch gives up a connection on which answers are due and nothing arrives.
func (c *Conn) watch(silent time.Duration) {
	tick := time.NewTicker(silent / 4)
	defer tick.Stop()
	for {
		select {
		case <-c.dead:
			return
		case <-tick.C:
			c.mu.Lock()
			waiting := len(c.pending) > 0
			c.mu.Unlock()
			if waiting && time.Since(time.Unix(0, c.lastRecv.Load())) > silent {
				c.fail(ErrSilent)
			}
		}
	}
}
