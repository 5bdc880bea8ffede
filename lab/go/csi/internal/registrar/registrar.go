// Package registrar tells kubelet of a CSI driver, as csi-node-driver-registrar does.
package registrar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"k8s.io/klog/v2"
	registerapi "k8s.io/kubelet/pkg/apis/pluginregistration/v1"

	"mlops.platform/lab/csi/internal/csiconn"
)

// Options are the flags of the registrar.
type Options struct {
	CSIAddress      string
	RegistrationDir string
	// KubeletPath is the driver's socket as kubelet sees it.
	KubeletPath  string
	HTTPEndpoint string
	Timeout      time.Duration
	Pprof        bool
}

// Run registers the driver and stays ready for kubelet until the context ends.
func Run(ctx context.Context, opts Options) error {
	name, err := driverName(ctx, opts)
	if err != nil {
		return fmt.Errorf("error retrieving CSI driver name: %w", err)
	}
	klog.V(2).InfoS("CSI driver name", "driver", name)
	r := &registration{
		driver: name, endpoint: opts.KubeletPath,
		socket:  filepath.Join(opts.RegistrationDir, name+"-reg.sock"),
		refused: make(chan string, 1),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.serve(ctx) })
	if opts.HTTPEndpoint != "" {
		group.Go(func() error { return serveHTTP(ctx, opts.HTTPEndpoint, r.handler(opts.Timeout, opts.Pprof)) })
	}
	return group.Wait()
}

// driverName waits for the driver as long as it takes; the timeout is for the call alone.
func driverName(ctx context.Context, opts Options) (string, error) {
	conn, err := csiconn.Dial(opts.CSIAddress)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := csiconn.AwaitReady(ctx, conn); err != nil {
		return "", err
	}
	return csiconn.DriverName(ctx, conn, opts.Timeout)
}

// registration answers kubelet's plugin watcher.
type registration struct {
	registerapi.UnimplementedRegistrationServer
	driver, endpoint, socket string
	refused                  chan string
}

// GetInfo says where the driver is.
func (r *registration) GetInfo(context.Context, *registerapi.InfoRequest) (*registerapi.PluginInfo, error) {
	klog.InfoS("Received GetInfo call", "driver", r.driver)
	return &registerapi.PluginInfo{
		Type: registerapi.CSIPlugin, Name: r.driver, Endpoint: r.endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

// NotifyRegistrationStatus ends the process where kubelet refused: it is restarted and tries again.
func (r *registration) NotifyRegistrationStatus(
	_ context.Context, result *registerapi.RegistrationStatus,
) (*registerapi.RegistrationStatusResponse, error) {
	klog.InfoS("Received NotifyRegistrationStatus call", "registered", result.GetPluginRegistered())
	if !result.GetPluginRegistered() {
		select {
		case r.refused <- result.GetError():
		default:
		}
	}
	return &registerapi.RegistrationStatusResponse{}, nil
}

// serve keeps the registration socket there: where it is deleted, it is made again,
// and kubelet's plugin watcher registers the driver again.
func (r *registration) serve(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	if err := watcher.Add(filepath.Dir(r.socket)); err != nil {
		return err
	}
	for again := true; again; {
		if again, err = r.serveOnce(ctx, watcher); err != nil {
			return err
		}
	}
	return nil
}

func (r *registration) serveOnce(ctx context.Context, watcher *fsnotify.Watcher) (again bool, err error) {
	listener, err := listen(r.socket)
	if err != nil {
		return false, err
	}
	server := grpc.NewServer()
	registerapi.RegisterRegistrationServer(server, r)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	defer server.Stop()
	klog.InfoS("Registration Server started", "socketPath", r.socket)
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case err := <-done:
			return false, fmt.Errorf("registration server stopped serving: %w", err)
		case err := <-watcher.Errors:
			return false, err
		case reason := <-r.refused:
			return false, fmt.Errorf("kubelet refused the registration: %s", reason)
		case <-watcher.Events:
			if _, err := os.Lstat(r.socket); errors.Is(err, fs.ErrNotExist) {
				klog.InfoS("Registration socket was deleted, making it again", "socketPath", r.socket)
				return true, nil
			}
		}
	}
}

// listen makes the socket for root alone. Closing the listener removes it.
func listen(socket string) (net.Listener, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	mask := unix.Umask(0o077)
	defer unix.Umask(mask)
	return net.Listen("unix", socket)
}
