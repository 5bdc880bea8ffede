package mountd

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
	"mlops.platform/lab/nfsfuse/internal/vfs"
)

// server is the client of one server, shared by its exports.
type server struct {
	addr   string
	client *nfs4.Client
	users  int
	closed chan struct{}
}

type export struct {
	server  *server
	path    string
	dir     string // where the whole export is mounted
	dev     string
	fs      *vfs.FS
	fuse    *fuse.Server
	pending int // mounts being made
	making  sync.Mutex
}

func (d *Daemon) useServer(addr string, maxIO uint32) (*server, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.servers[addr]
	for s != nil && s.users == 0 {
		// The server knows both by the same name: the old one has to say goodbye first.
		d.mu.Unlock()
		<-s.closed
		d.mu.Lock()
		s = d.servers[addr]
	}
	if d.stopped {
		return nil, errors.New("daemon is stopping")
	}
	if s == nil {
		s = &server{addr: addr, client: NewClient(addr, d.state, maxIO, d.logf), closed: make(chan struct{})}
		d.servers[addr] = s
	}
	s.users++
	return s, nil
}

func (d *Daemon) dropServer(s *server) {
	d.mu.Lock()
	s.users--
	last := s.users == 0
	d.mu.Unlock()
	if !last {
		return
	}
	s.client.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.servers, s.addr)
	close(s.closed)
}

// useExport returns the mounted export and keeps it from being dropped until reapAfter.
func (d *Daemon) useExport(srv *server, req *Request, place *nfs4.Place) (*export, error) {
	// After a change of the server's exports the same path may have another handle; the old mount is of no use then.
	key := fmt.Sprintf("%s %s %x", srv.addr, place.Export, place.Root)
	d.mu.Lock()
	e := d.exports[key]
	if e == nil {
		e = &export{server: srv, path: place.Export, dir: filepath.Join(d.state, folderName(req.Host, place.Export, key))}
		d.exports[key] = e
	}
	e.pending++
	d.mu.Unlock()
	e.making.Lock()
	defer e.making.Unlock()
	if e.fs != nil {
		return e, nil
	}
	if err := d.start(e, req, place); err != nil {
		d.mu.Lock()
		if e.pending--; e.pending == 0 {
			delete(d.exports, key)
		}
		d.mu.Unlock()
		return nil, fmt.Errorf("mount of export %s: %w", place.Export, err)
	}
	return e, nil
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func folderName(host, export, key string) string {
	return fmt.Sprintf("%s%s-%08x", unfit.ReplaceAllString(host, "_"), unfit.ReplaceAllString(export, "_"), crc32.ChecksumIEEE([]byte(key)))
}

// start mounts the whole export below the state folder.
func (d *Daemon) start(e *export, req *Request, place *nfs4.Place) error {
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return err
	}
	fs, err := NewFS(e.server.client, req.Host+":"+place.Export, place.Root, place.RootAttr, d.logf)
	if err != nil {
		return err
	}
	srv, err := fs.Mount(e.dir, 0)
	if err != nil {
		return err
	}
	list, err := readMountinfo()
	if err != nil {
		return errors.Join(err, srv.Unmount())
	}
	dev := deviceAt(list, e.dir)
	_ = vfs.SetReadahead(dev) // only speed is lost without it
	d.mu.Lock()
	defer d.mu.Unlock()
	e.fs, e.fuse, e.dev = fs, srv, dev
	e.server.users++
	d.alive.Add(1)
	go d.attend(e)
	return nil
}

// attend waits until the kernel has let go of an export, in all mount namespaces.
func (d *Daemon) attend(e *export) {
	defer d.alive.Done()
	e.fuse.Wait()
	e.fs.Drain(nil)
	d.logf("export %s of %s is not in use any more", e.path, e.server.addr)
	d.dropServer(e.server)
}

func (d *Daemon) reapAfter(e *export) {
	d.mu.Lock()
	e.pending--
	d.mu.Unlock()
	d.reap()
}

// reap drops the exports that nothing is bound to any more.
func (d *Daemon) reap() {
	d.mu.Lock()
	defer d.mu.Unlock()
	list, err := readMountinfo()
	if err != nil {
		d.logf("mounts: %v", err)
		return
	}
	for key, e := range d.exports {
		if e.fs == nil || e.pending > 0 || len(pointsOf(list, e.dev, e.dir)) > 0 {
			continue
		}
		if err := unix.Unmount(e.dir, unix.MNT_DETACH); err != nil {
			d.logf("unmount %s: %v", e.dir, err)
			continue
		}
		_ = os.Remove(e.dir)
		delete(d.exports, key)
	}
}

// Watch drops exports as their last mount goes, until stop is closed.
func (d *Daemon) Watch(stop <-chan struct{}) error {
	fd, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		// The kernel wakes this up when the list of mounts changes.
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, -1)
		select {
		case <-stop:
			return nil
		default:
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		d.reap()
	}
}
