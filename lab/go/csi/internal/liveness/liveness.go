// Package liveness answers HTTP health checks by CSI's Probe, as livenessprobe does.
package liveness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"k8s.io/klog/v2"

	"mlops.platform/lab/csi/internal/csiconn"
)

// connectTimeout is the longest pause of a container that crashes again and again:
// the driver may take that long to come back.
const connectTimeout = 5 * time.Minute

// Prober asks one driver whether it is well.
type Prober struct {
	address string
	timeout time.Duration
	driver  string
	metrics *metrics
}

// Connect waits for the driver and learns its name.
func Connect(ctx context.Context, address string, probeTimeout time.Duration) (*Prober, error) {
	conn, err := csiconn.Dial(address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	driver, err := csiconn.DriverName(ctx, conn, connectTimeout)
	if err != nil {
		return nil, fmt.Errorf("failed to get CSI driver name: %w", err)
	}
	klog.InfoS("CSI driver name", "driver", driver)
	return &Prober{address: address, timeout: probeTimeout, driver: driver, metrics: newMetrics(driver)}, nil
}

// Handler answers /healthz.
func (p *Prober) Handler() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, request *http.Request) {
		ctx, cancel := context.WithTimeout(request.Context(), p.timeout)
		defer cancel()
		if err := p.probe(ctx); err != nil {
			klog.ErrorS(err, "Health check failed", "driver", p.driver)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		klog.V(5).InfoS("Health check succeeded", "driver", p.driver)
		fmt.Fprint(w, "ok")
	})
	return mux
}

// MetricsHandler answers with the duration of the calls to the driver.
func (p *Prober) MetricsHandler() http.Handler {
	return p.metrics.handler()
}

// probe connects anew each time: what counts is what a new caller finds.
func (p *Prober) probe(ctx context.Context) error {
	conn, err := csiconn.Dial(p.address, grpc.WithUnaryInterceptor(p.metrics.observe))
	if err != nil {
		return err
	}
	defer conn.Close()
	response, err := csi.NewIdentityClient(conn).Probe(ctx, &csi.ProbeRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	// CSI: a driver that says nothing about readiness is ready.
	if ready := response.GetReady(); ready != nil && !ready.GetValue() {
		return errors.New("driver responded but is not ready")
	}
	return nil
}

// Serve answers HTTP until the context ends.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	klog.InfoS("ServeMux listening", "address", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
