// Package nfs is the lab's stand-in for csi-driver-nfs: the same flags, parameters, volume handles, error
// codes and behaviour, for what the platform uses of it.
package nfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"k8s.io/klog/v2"
	mount "k8s.io/mount-utils"
)

const (
	// DefaultName is the name that StorageClasses and volumes have as their driver.
	DefaultName = "nfs.csi.k8s.io"
	// Version is that of the driver whose place this one takes.
	Version = "v4.13.4"

	mountTimeout      = 110 * time.Second
	forceUnmountAfter = 30 * time.Second
)

// Options are the driver's flags.
type Options struct {
	Name             string
	NodeID           string
	WorkingMountDir  string
	DefaultOnDelete  string
	MountPermissions uint64
	RemoveArchived   bool
	StatsTTL         time.Duration
}

// Driver answers the identity, controller and node calls of CSI.
type Driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedControllerServer
	csi.UnimplementedNodeServer

	opts         Options
	mounter      mount.Interface
	mountTimeout time.Duration
	locks        volumeLocks
	stats        statsCache
}

// New refuses options that would only fail later, when a volume is deleted.
func New(opts Options, mounter mount.Interface) (*Driver, error) {
	if err := checkOnDelete(opts.DefaultOnDelete); err != nil {
		return nil, fmt.Errorf("--default-ondelete-policy: %w", err)
	}
	return &Driver{
		opts: opts, mounter: mounter, mountTimeout: mountTimeout,
		stats: statsCache{ttl: opts.StatsTTL, now: time.Now},
	}, nil
}

// Banner says in the log and to --version what this is, so that nobody takes it for the real driver.
func Banner(name string) string {
	return fmt.Sprintf("Driver: %s version: %s (lab stand-in, not csi-driver-nfs)", name, Version)
}

// Listen opens the endpoint; a socket that an earlier process left is replaced.
func Listen(endpoint string) (net.Listener, error) {
	scheme, address, found := strings.Cut(endpoint, "://")
	scheme = strings.ToLower(scheme)
	if !found || address == "" || (scheme != "unix" && scheme != "tcp") {
		return nil, fmt.Errorf("--endpoint %q is not unix://path or tcp://host:port", endpoint)
	}
	if scheme == "unix" {
		if err := os.Remove(address); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("--endpoint %q: %w", endpoint, err)
		}
	}
	return net.Listen(scheme, address)
}

// Serve answers until the context ends, and lets running calls finish.
func (d *Driver) Serve(ctx context.Context, listener net.Listener) error {
	server := grpc.NewServer(grpc.UnaryInterceptor(logCall))
	csi.RegisterIdentityServer(server, d)
	csi.RegisterControllerServer(server, d)
	csi.RegisterNodeServer(server, d)
	defer context.AfterFunc(ctx, server.GracefulStop)()
	klog.InfoS("Listening for connections", "address", listener.Addr())
	return server.Serve(listener)
}
