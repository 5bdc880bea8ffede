package liveness

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// metrics has the one series that every CSI sidecar has.
type metrics struct {
	driver   string
	registry *prometheus.Registry
	seconds  *prometheus.HistogramVec
}

func newMetrics(driver string) *metrics {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "csi_sidecar_operations_seconds",
		Help:    "Container Storage Interface operation duration with gRPC error code status total",
		Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600},
	}, []string{"driver_name", "method_name", "grpc_status_code"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(seconds)
	return &metrics{driver: driver, registry: registry, seconds: seconds}
}

func (m *metrics) observe(
	ctx context.Context, method string, request, reply any, conn *grpc.ClientConn,
	invoker grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	start := time.Now()
	err := invoker(ctx, method, request, reply, conn, options...)
	m.seconds.WithLabelValues(m.driver, method, status.Code(err).String()).Observe(time.Since(start).Seconds())
	return err
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
