package mountd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// Daemon serves all exports of one cluster: one FUSE mount for each, and bind mounts of it.
type Daemon struct {
	state string
	logf  Logf
	lock  *os.File

	mu      sync.Mutex
	servers map[string]*server
	exports map[string]*export
	stopped bool
	alive   sync.WaitGroup // exports that the kernel still uses
}

// New takes a state folder into use. What a killed predecessor left there is unmounted.
func New(state string, logf Logf) (*Daemon, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	state, err := filepath.EvalSymlinks(state)
	if err != nil {
		return nil, err
	}
	lock, err := lockState(state)
	if err != nil {
		return nil, err
	}
	if err := clean(state, logf); err != nil {
		return nil, err
	}
	// Mounts below must not spread into the containers that come and go on this machine.
	if err := unix.Mount(state, state, "", unix.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("bind %s: %w", state, err)
	}
	if err := unix.Mount("", state, "", unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make %s private: %w", state, err)
	}
	return &Daemon{state: state, logf: logf, lock: lock, servers: map[string]*server{}, exports: map[string]*export{}}, nil
}

func lockState(state string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(state, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another daemon uses %s: %w", state, err)
	}
	return f, nil
}

// Serve answers requests until the listener is closed.
func (d *Daemon) Serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go d.answer(conn)
	}
}

func (d *Daemon) answer(conn net.Conn) {
	defer conn.Close()
	var req Request
	reply := Reply{}
	err := json.NewDecoder(conn).Decode(&req)
	if err == nil {
		switch req.Op {
		case OpMount:
			err = d.mount(&req)
		case OpStatus:
			reply.Exports, err = d.status()
		default:
			err = fmt.Errorf("operation %q is not known", req.Op)
		}
	}
	if err != nil {
		reply.Error, reply.Errno = err.Error(), int(nfs4.Errno(err))
	}
	_ = json.NewEncoder(conn).Encode(&reply)
}

func (d *Daemon) mount(req *Request) error {
	if net.ParseIP(req.IP) == nil || !filepath.IsAbs(req.Path) || !filepath.IsAbs(req.Target) || req.Options == nil {
		return errors.New("a mount request needs ip, an absolute path and target, and options")
	}
	if st, err := os.Stat(req.Target); err != nil || !st.IsDir() {
		return fmt.Errorf("target %s is no folder of this machine: %w", req.Target, errors.Join(err, syscall.ENOTDIR))
	}
	began := time.Now()
	srv, err := d.useServer(req.Options.Address(req.IP), req.Options.MaxIO)
	if err != nil {
		return err
	}
	defer d.dropServer(srv)
	place, err := Find(srv.client, req.Path, req.Options.Retry)
	if err != nil {
		return err
	}
	e, err := d.useExport(srv, req, place)
	if err != nil {
		return err
	}
	defer d.reapAfter(e)
	if err := bind(e.dir, place.Sub, req.Target, req.Options.Flags); err != nil {
		return err
	}
	d.logf("mounted %s:%s (export %s) on %s in %s", req.Host, req.Path, place.Export, req.Target, time.Since(began).Round(time.Millisecond))
	return nil
}

func (d *Daemon) status() ([]ExportStatus, error) {
	list, err := readMountinfo()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []ExportStatus{}
	for _, e := range d.exports {
		if e.fs == nil {
			continue
		}
		st := ExportStatus{Server: e.server.addr, Export: e.path, Mount: e.dir, Targets: pointsOf(list, e.dev, e.dir),
			Connected: e.server.client.Connected(), Unstable: e.fs.Unstable()}
		if err := e.server.client.LastError(); err != nil {
			st.Error = err.Error()
		}
		out = append(out, st)
	}
	return out, nil
}
