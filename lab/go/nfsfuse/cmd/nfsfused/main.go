// Command nfsfused serves the NFS mounts of one cluster. Start it in the host's mount namespace and the cluster's network namespace.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"mlops.platform/lab/nfsfuse/internal/mountd"
)

func main() {
	state := flag.String("state", "", "folder for the mounts of whole exports (required)")
	socket := flag.String("socket", "", "unix socket on which mount.nfs asks for mounts (required unless -cleanup)")
	patience := flag.Duration("stop-timeout", 20*time.Second, "how long to wait for unreachable servers when stopping")
	cleanup := flag.Bool("cleanup", false, "unmount what a killed daemon left below -state, then end")
	flag.Parse()
	log.SetFlags(log.LstdFlags | log.Lmsgprefix)
	if *state == "" || (*socket == "" && !*cleanup) || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	var err error
	if *cleanup {
		err = mountd.Clean(*state, log.Printf)
	} else {
		err = run(*state, *socket, *patience)
	}
	if err != nil {
		log.Fatalf("nfsfused: %v", err)
	}
}

func run(state, socket string, patience time.Duration) error {
	// Most memory is data on its way: collect early rather than let it double.
	debug.SetGCPercent(50)
	d, err := mountd.New(state, log.Printf)
	if err != nil {
		return err
	}
	l, err := listen(socket)
	if err != nil {
		return errors.Join(err, d.Stop(patience))
	}
	watching := make(chan struct{})
	go func() {
		if err := d.Watch(watching); err != nil {
			log.Printf("mounts cannot be watched: %v", err)
		}
	}()
	// Nothing but a wish to stop may end this process: all mounts would end with it.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		log.Printf("%s: stopping", <-signals)
		l.Close()
	}()
	log.Printf("ready: socket %s, state %s", socket, state)
	err = d.Serve(l)
	close(watching)
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, d.Stop(patience))
}

// listen replaces the socket of a predecessor; the lock on the state folder has shown that none runs.
func listen(socket string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o750); err != nil {
		return nil, err
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("old socket: %w", err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(socket, 0o600)
}
