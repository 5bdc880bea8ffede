package nfs4

import (
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mlops.platform/lab/nfsfuse/internal/rpc"
)

const (
	wantSlots   = 64
	headroom    = 16 << 10 // what a call needs besides its data
	maxBusyWait = 2 * time.Second
	maxReopens  = 8
)

// ErrClosed says that the client was shut down.
var ErrClosed = errors.New("NFS client is closed")

// Config says whom to connect to, and as whom.
type Config struct {
	Addr    string        // host:port
	OwnerID string        // names this client to the server; the same after a restart, different from every other client
	Machine string        // host name for AUTH_SYS
	Silent  time.Duration // a server that owes answers and says nothing for so long is connected to anew
	MaxIO   uint32        // largest read or write
	Logf    func(format string, args ...any)
}

// Client is one client of one server. All its calls wait for the server as long as it takes.
type Client struct {
	cfg    Config
	root   *rpc.Cred
	xid    atomic.Uint32
	epoch  atomic.Uint64
	closed chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	conn    *rpc.Conn
	sess    *session
	changed chan struct{}
	opens   map[*Open]struct{}
	lastErr error
	fatal   error

	id    identity
	lease atomic.Int64
	wake  chan struct{}
}

// Call is a compound to be run.
type Call struct {
	Cred *rpc.Cred
	Ops  []Op
	// Once marks what must not run twice. Main is then the number of operations that make the change: an error of a
	// later one is given to the caller instead of running everything again.
	Once bool
	Main int
	// Open is the open state that an operation uses: it is won back when the server lost it.
	Open *Open
	// Keep keeps the answer's memory until Release, because results point into it.
	Keep bool
	Intr *Intr

	// Uncertain is set when the call may have run on the server although its answer never came.
	Uncertain bool
	// Late is set when the caller was killed while the call was on its way. It is closed when the server cannot run it any more.
	Late  <-chan struct{}
	reply *rpc.Reply
}

// Release gives the answer's memory back.
func (c *Call) Release() {
	if c.reply != nil {
		c.reply.Release()
		c.reply = nil
	}
}

// New starts a client. It connects in the background, for ever.
func New(cfg Config) *Client {
	if cfg.Logf == nil {
		cfg.Logf = func(string, ...any) {}
	}
	if cfg.Silent == 0 {
		cfg.Silent = time.Minute
	}
	if cfg.MaxIO == 0 {
		cfg.MaxIO = 1 << 20
	}
	c := &Client{
		cfg: cfg, root: rpc.NewCred(cfg.Machine, 0, 0, nil), closed: make(chan struct{}), done: make(chan struct{}),
		changed: make(chan struct{}), opens: map[*Open]struct{}{}, wake: make(chan struct{}, 1),
	}
	c.xid.Store(uint32(time.Now().UnixNano()))
	c.lease.Store(int64(time.Minute))
	rand.Read(c.id.verifier[:])
	go c.manage()
	return c
}

func (c *Client) logf(format string, args ...any) { c.cfg.Logf(format, args...) }
func (c *Client) nextXID() uint32                 { return c.xid.Add(1) }

// Cred makes an identity of this machine.
func (c *Client) Cred(uid, gid uint32, groups []uint32) *rpc.Cred {
	return rpc.NewCred(c.cfg.Machine, uid, gid, groups)
}

// Root is the identity of the machine itself.
func (c *Client) Root() *rpc.Cred { return c.root }

// Epoch changes each time the server lost what it knew about this client: unstable data may be lost there.
func (c *Client) Epoch() uint64 { return c.epoch.Load() }

// Connected tells whether the server answers at this moment.
func (c *Client) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn != nil
}

// Implementation is what the server calls itself, if it says so.
func (c *Client) Implementation() string {
	if name := c.id.server.Load(); name != nil {
		return *name
	}
	return ""
}

// LastError is why the server could not be used last time.
func (c *Client) LastError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastErr
}

// Ready waits for the first session. It returns early when the server can never be used.
func (c *Client) Ready(intr *Intr) error {
	_, err := c.session(intr)
	return err
}

// Limits are the sizes that the session allows.
func (c *Client) Limits(intr *Intr) (maxRead, maxWrite uint32, err error) {
	s, err := c.session(intr)
	if err != nil {
		return 0, 0, err
	}
	return clampIO(s.limits.maxResponse, c.cfg.MaxIO), clampIO(s.limits.maxRequest, c.cfg.MaxIO), nil
}

func clampIO(message, wanted uint32) uint32 {
	if message < wanted+headroom {
		wanted = max(message, headroom+4096) - headroom
	}
	return wanted &^ 4095
}

// SetLease tells how long the server keeps silent clients.
func (c *Client) SetLease(d time.Duration) {
	c.lease.Store(int64(max(d, time.Second)))
	c.poke()
}

func (c *Client) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// current returns the session, the connection, and a channel that is closed when one of them changes.
func (c *Client) current() (*session, *rpc.Conn, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sess, c.conn, c.changed, c.fatal
}

func (c *Client) session(intr *Intr) (*session, error) {
	for {
		s, _, changed, fatal := c.current()
		if fatal != nil {
			return nil, fatal
		}
		if s != nil && !s.isDead() {
			return s, nil
		}
		if _, err := intr.Wait(changed, nil); err != nil {
			return nil, err
		}
	}
}

// connFor waits for a living connection of a session.
func (c *Client) connFor(s *session, intr *Intr) (*rpc.Conn, error) {
	for {
		if s.isDead() {
			return nil, errSessionLost
		}
		cur, conn, changed, fatal := c.current()
		if fatal != nil {
			return nil, fatal
		}
		if conn != nil && cur == s && conn.Err() == nil {
			return conn, nil
		}
		if _, err := intr.Wait(changed, s.dead); err != nil {
			return nil, err
		}
	}
}

func (c *Client) publish(s *session, conn *rpc.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sess, c.conn = s, conn
	close(c.changed)
	c.changed = make(chan struct{})
}

// Do runs a call. It returns nil, an *OpError, ErrInterrupted, or that the client is closed.
func (c *Client) Do(call *Call) error {
	reopens, wait := 0, 20*time.Millisecond
	for {
		state, err := c.usable(call)
		if err != nil {
			return err
		}
		s, err := c.session(call.Intr)
		if err != nil {
			return err
		}
		err = s.do(call)
		var failed *OpError
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errSessionLost), errors.Is(err, errRetry):
			continue
		case !errors.As(err, &failed):
			return err
		case call.Once && failed.Index >= call.Main:
			return err
		case failed.Status.busy():
			if err := call.Intr.Sleep(wait, c.closed); err != nil {
				return err
			}
			wait = min(2*wait, maxBusyWait)
		case failed.Status.lostState() && call.Open != nil && reopens < maxReopens:
			reopens++
			call.Open.markLost(state)
		default:
			return err
		}
	}
}

// usable makes sure that the open state of a call is not known to be lost.
func (c *Client) usable(call *Call) (*openState, error) {
	if call.Open == nil {
		return nil, nil
	}
	return call.Open.ensure(call.Intr)
}

// Errno translates an error of Do for the local system.
func Errno(err error) syscall.Errno {
	var failed *OpError
	var errno syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failed):
		return failed.Status.Errno()
	case errors.As(err, &errno):
		return errno
	}
	var denied *rpc.DeniedError
	if errors.As(err, &denied) {
		return syscall.EACCES
	}
	return syscall.EIO
}

// Failed tells whether err is the given status.
func Failed(err error, st Status) bool {
	var failed *OpError
	return errors.As(err, &failed) && failed.Status == st
}

// After tells whether err is that of an operation behind the first n.
func After(err error, n int) bool {
	var failed *OpError
	return errors.As(err, &failed) && failed.Index >= n
}
