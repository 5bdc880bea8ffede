package registrar

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	mount "k8s.io/mount-utils"

	registerapi "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
	"mlops.platform/lab/csi/internal/csiconn"
	"mlops.platform/lab/csi/internal/nfs"
)

const hostPath = "/var/lib/kubelet/plugins/csi-nfsplugin/csi.sock"

// node is a folder with the sockets of a node, short enough for their paths.
type node struct{ csi, registry, socket string }

func newNode(t *testing.T) node {
	t.Helper()
	folder, err := os.MkdirTemp("", "reg")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	registry := filepath.Join(folder, "registry")
	must(t, os.Mkdir(registry, 0o755))
	return node{
		csi: filepath.Join(folder, "csi.sock"), registry: registry,
		socket: filepath.Join(registry, "nfs.csi.k8s.io-reg.sock"),
	}
}

func (n node) startDriver(t *testing.T) {
	t.Helper()
	driver, err := nfs.New(nfs.Options{Name: nfs.DefaultName}, mount.NewFakeMounter(nil))
	must(t, err)
	listener, err := nfs.Listen("unix://" + n.csi)
	must(t, err)
	go driver.Serve(t.Context(), listener)
}

func (n node) startRegistrar(t *testing.T) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			CSIAddress: n.csi, RegistrationDir: n.registry, KubeletPath: hostPath, Timeout: 5 * time.Second,
		})
	}()
	t.Cleanup(cancel)
	return func() error {
		cancel()
		return <-done
	}
}

// startKubelet is a new kubelet: it has no connection yet, and waits for the socket.
func (n node) startKubelet(t *testing.T) registerapi.RegistrationClient {
	t.Helper()
	conn, err := csiconn.Dial(n.socket)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return registerapi.NewRegistrationClient(conn)
}

func assertRegisters(t *testing.T, kubelet registerapi.RegistrationClient) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	info, err := kubelet.GetInfo(ctx, &registerapi.InfoRequest{}, grpc.WaitForReady(true))
	must(t, err)
	if info.Type != registerapi.CSIPlugin || info.Name != "nfs.csi.k8s.io" || info.Endpoint != hostPath ||
		!slices.Equal(info.SupportedVersions, []string{"1.0.0"}) {
		t.Errorf("plugin info %v", info)
	}
	_, err = kubelet.NotifyRegistrationStatus(ctx, &registerapi.RegistrationStatus{PluginRegistered: true})
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRegistersTheDriver(t *testing.T) {
	n := newNode(t)
	n.startDriver(t)
	stop := n.startRegistrar(t)
	assertRegisters(t, n.startKubelet(t))
	info, err := os.Lstat(n.socket)
	must(t, err)
	if info.Mode()&0o077 != 0 {
		t.Errorf("others reach the socket: %v", info.Mode())
	}
	must(t, stop())
	if _, err := os.Lstat(n.socket); !os.IsNotExist(err) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

func TestWaitsForADriverThatStartsLater(t *testing.T) {
	n := newNode(t)
	stop := n.startRegistrar(t)
	kubelet := n.startKubelet(t)
	n.startDriver(t)
	assertRegisters(t, kubelet)
	must(t, stop())
}

func TestRegistersAgainWhenKubeletRestarts(t *testing.T) {
	n := newNode(t)
	n.startDriver(t)
	stop := n.startRegistrar(t)
	assertRegisters(t, n.startKubelet(t))
	assertRegisters(t, n.startKubelet(t))
	for range 3 {
		must(t, os.Remove(n.socket))
		assertRegisters(t, n.startKubelet(t))
	}
	must(t, stop())
}

func TestReplacesTheSocketOfAnEarlierProcess(t *testing.T) {
	n := newNode(t)
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: n.socket, Net: "unix"})
	must(t, err)
	left.SetUnlinkOnClose(false)
	must(t, left.Close())
	n.startDriver(t)
	stop := n.startRegistrar(t)
	assertRegisters(t, n.startKubelet(t))
	must(t, stop())
}

func TestEndsWhenKubeletRefuses(t *testing.T) {
	n := newNode(t)
	n.startDriver(t)
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), Options{
			CSIAddress: n.csi, RegistrationDir: n.registry, KubeletPath: hostPath, Timeout: 5 * time.Second,
		})
	}()
	kubelet := n.startKubelet(t)
	assertRegisters(t, kubelet)
	refusal := &registerapi.RegistrationStatus{Error: "no such driver"}
	// The answer may get lost, as the process ends.
	_, _ = kubelet.NotifyRegistrationStatus(t.Context(), refusal)
	if err := <-done; err == nil || !strings.Contains(err.Error(), "no such driver") {
		t.Errorf("ended with %v", err)
	}
}

func TestEndsWithoutARegistrationFolder(t *testing.T) {
	n := newNode(t)
	n.startDriver(t)
	opts := Options{CSIAddress: n.csi, RegistrationDir: n.registry + "-none", Timeout: 5 * time.Second}
	if err := Run(t.Context(), opts); !os.IsNotExist(err) {
		t.Errorf("ended with %v", err)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, strings.TrimSpace(string(body))
}

func TestHealth(t *testing.T) {
	n := newNode(t)
	r := &registration{driver: nfs.DefaultName, endpoint: hostPath, socket: n.socket, refused: make(chan string, 1)}
	server := httptest.NewServer(r.handler(200*time.Millisecond, false))
	defer server.Close()
	if code, body := get(t, server.URL+"/healthz"); code != 404 || body != "registration socket does not exist" {
		t.Errorf("without a socket: %d %q", code, body)
	}
	n.startDriver(t)
	stop := n.startRegistrar(t)
	assertRegisters(t, n.startKubelet(t))
	if code, body := get(t, server.URL+"/healthz"); code != 200 || body != "ok" {
		t.Errorf("with a socket: %d %q", code, body)
	}
	must(t, stop())
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: n.socket, Net: "unix"})
	must(t, err)
	defer dead.Close()
	if code, _ := get(t, server.URL+"/healthz"); code != 500 {
		t.Errorf("with a socket that nobody answers: %d", code)
	}
	if code, _ := get(t, server.URL+"/debug/pprof/"); code != 404 {
		t.Errorf("pprof without being asked for: %d", code)
	}
}

func TestRunServesHealthAndPprof(t *testing.T) {
	n := newNode(t)
	n.startDriver(t)
	port, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := port.Addr().String()
	must(t, port.Close())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			CSIAddress: n.csi, RegistrationDir: n.registry, KubeletPath: hostPath, Timeout: 5 * time.Second,
			HTTPEndpoint: address, Pprof: true,
		})
	}()
	assertRegisters(t, n.startKubelet(t))
	awaitPort(t, address)
	for _, path := range []string{"/healthz", "/debug/pprof/"} {
		if code, body := get(t, "http://"+address+path); code != 200 {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
	cancel()
	must(t, <-done)
}

// awaitPort asks until somebody listens.
func awaitPort(t *testing.T, address string) {
	t.Helper()
	dialer := net.Dialer{}
	for t.Context().Err() == nil {
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err == nil {
			conn.Close()
			return
		}
	}
}
