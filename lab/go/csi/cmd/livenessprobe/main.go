// Command livenessprobe answers HTTP health checks for a CSI driver, with the flags of the program of that name.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"mlops.platform/lab/csi/internal/liveness"
)

const (
	version           = "v2.19.0 (lab stand-in)"
	defaultHealthPort = "9808"
)

var (
	probeTimeout   = flag.Duration("probe-timeout", time.Second, "longest time for one probe")
	csiAddress     = flag.String("csi-address", "/run/csi/socket", "address of the driver's socket")
	healthPort     = flag.String("health-port", defaultHealthPort, "deprecated: port of /healthz on all addresses")
	metricsAddress = flag.String("metrics-address", "", "deprecated: address of the metrics alone")
	httpEndpoint   = flag.String("http-endpoint", "", "address of /healthz and the metrics")
	metricsPath    = flag.String("metrics-path", "/metrics", "path of the metrics")
	showVersion    = flag.Bool("version", false, "show the version")
)

func main() {
	klog.InitFlags(nil)
	flag.Parse()
	if *showVersion {
		fmt.Println(os.Args[0], version)
		return
	}
	if err := run(); err != nil {
		klog.ErrorS(err, "Probe ended")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
}

func run() error {
	if *httpEndpoint != "" && *healthPort != defaultHealthPort {
		return errors.New("only one of --health-port and --http-endpoint can be set")
	}
	if *httpEndpoint != "" && *metricsAddress != "" {
		return errors.New("only one of --metrics-address and --http-endpoint can be set")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	prober, err := liveness.Connect(ctx, *csiAddress, *probeTimeout)
	if err != nil {
		return err
	}
	health := prober.Handler()
	group, ctx := errgroup.WithContext(ctx)
	address := net.JoinHostPort("0.0.0.0", *healthPort)
	if *httpEndpoint != "" {
		address = *httpEndpoint
		health.Handle(*metricsPath, prober.MetricsHandler())
	}
	if *metricsAddress != "" {
		metrics := http.NewServeMux()
		metrics.Handle(*metricsPath, prober.MetricsHandler())
		group.Go(func() error { return listenAndServe(ctx, *metricsAddress, metrics) })
	}
	group.Go(func() error { return listenAndServe(ctx, address, health) })
	return group.Wait()
}

func listenAndServe(ctx context.Context, address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return liveness.Serve(ctx, listener, handler)
}
