package liveness

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
	mount "k8s.io/mount-utils"

	"mlops.platform/lab/csi/internal/nfs"
)

// identity is a driver with a fault.
type identity struct {
	csi.UnimplementedIdentityServer
	ready *wrapperspb.BoolValue
	hang  bool
}

func (i *identity) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: "faulty.lab"}, nil
}

func (i *identity) Probe(ctx context.Context, _ *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	if i.hang {
		<-ctx.Done()
	}
	return &csi.ProbeResponse{Ready: i.ready}, nil
}

func socketPath(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "live")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	return filepath.Join(folder, "csi.sock")
}

// startDriver is the real one; the returned function stops it.
func startDriver(t *testing.T, socket string) (stop func()) {
	t.Helper()
	driver, err := nfs.New(nfs.Options{Name: nfs.DefaultName}, mount.NewFakeMounter(nil))
	must(t, err)
	listener, err := nfs.Listen("unix://" + socket)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- driver.Serve(ctx, listener) }()
	return func() {
		cancel()
		must(t, <-done)
	}
}

func startFaulty(t *testing.T, socket string, faulty *identity) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	must(t, err)
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, faulty)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
}

// startProbe answers on a port of this machine.
func startProbe(t *testing.T, socket string, timeout time.Duration) string {
	t.Helper()
	prober, err := Connect(t.Context(), socket, timeout)
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	mux := prober.Handler()
	mux.Handle("/metrics", prober.MetricsHandler())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, listener, mux) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
	})
	return "http://" + listener.Addr().String()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, string(body)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHealthFollowsTheDriver(t *testing.T) {
	socket := socketPath(t)
	stop := startDriver(t, socket)
	url := startProbe(t, socket, 5*time.Second)
	if code, body := get(t, url+"/healthz"); code != 200 || body != "ok" {
		t.Errorf("driver runs: %d %q", code, body)
	}
	stop()
	short := startProbeOfNothing(t, socket)
	if code, body := get(t, short+"/healthz"); code != 500 {
		t.Errorf("driver stopped: %d %q", code, body)
	}
	defer startDriver(t, socket)()
	if code, body := get(t, url+"/healthz"); code != 200 || body != "ok" {
		t.Errorf("driver runs again: %d %q", code, body)
	}
}

// startProbeOfNothing is a probe that lost its driver, and need not wait long to know.
func startProbeOfNothing(t *testing.T, socket string) string {
	t.Helper()
	stop := startDriver(t, socket)
	url := startProbe(t, socket, 50*time.Millisecond)
	stop()
	return url
}

func TestConnectWaitsForTheDriver(t *testing.T) {
	socket := socketPath(t)
	connected := make(chan error, 1)
	go func() {
		_, err := Connect(t.Context(), socket, time.Second)
		connected <- err
	}()
	defer startDriver(t, socket)()
	must(t, <-connected)
}

func TestReadiness(t *testing.T) {
	for name, c := range map[string]struct {
		faulty *identity
		code   int
		body   string
	}{
		"says nothing": {&identity{}, 200, "ok"},
		"ready":        {&identity{ready: wrapperspb.Bool(true)}, 200, "ok"},
		"not ready":    {&identity{ready: wrapperspb.Bool(false)}, 500, "driver responded but is not ready"},
		"hangs":        {&identity{hang: true}, 500, "DeadlineExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := socketPath(t)
			startFaulty(t, socket, c.faulty)
			timeout := 5 * time.Second
			if c.faulty.hang {
				timeout = 50 * time.Millisecond
			}
			code, body := get(t, startProbe(t, socket, timeout)+"/healthz")
			if code != c.code || !strings.Contains(body, c.body) {
				t.Errorf("got %d %q", code, body)
			}
		})
	}
}

func TestMetricsCountTheProbes(t *testing.T) {
	socket := socketPath(t)
	defer startDriver(t, socket)()
	url := startProbe(t, socket, 5*time.Second)
	for range 2 {
		get(t, url+"/healthz")
	}
	_, body := get(t, url+"/metrics")
	want := `csi_sidecar_operations_seconds_count{driver_name="nfs.csi.k8s.io",grpc_status_code="OK",` +
		`method_name="/csi.v1.Identity/Probe"} 2`
	if !strings.Contains(body, want) {
		t.Errorf("no %s in\n%s", want, body)
	}
}
