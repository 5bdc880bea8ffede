// Command csi-node-driver-registrar tells kubelet of a CSI driver, with the flags of the program of that name.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"k8s.io/klog/v2"

	"mlops.platform/lab/csi/internal/registrar"
)

const (
	version = "v2.17.0 (lab stand-in)"
	// modeProbe was an exec probe once. Since 2.9.0 it succeeds and does nothing.
	modeProbe = "kubelet-registration-probe"
)

var (
	connectionTimeout = flag.Duration("connection-timeout", 0, "deprecated, has no effect")
	timeout           = flag.Duration("timeout", time.Second, "timeout of calls to the driver")
	csiAddress        = flag.String("csi-address", "/run/csi/socket", "path of the driver's socket")
	registrationPath  = flag.String("plugin-registration-path", "/registration", "kubelet's plugin registration folder")
	kubeletPath       = flag.String("kubelet-registration-path", "", "path of the driver's socket as kubelet sees it")
	healthPort        = flag.Int("health-port", 0, "deprecated: port of /healthz on all addresses")
	httpEndpoint      = flag.String("http-endpoint", "", "address of /healthz, for example :8080; empty: none")
	showVersion       = flag.Bool("version", false, "show the version")
	mode              = flag.String("mode", "registration", "registration, or "+modeProbe+" (deprecated, does nothing)")
	enablePprof       = flag.Bool("enable-pprof", false, "profiling at --http-endpoint")
)

func main() {
	klog.InitFlags(nil)
	flag.Parse()
	if *showVersion {
		fmt.Println(os.Args[0], version)
		return
	}
	if err := run(); err != nil {
		klog.ErrorS(err, "Registrar ended")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
}

func run() error {
	if *kubeletPath == "" {
		return errors.New("--kubelet-registration-path is a required parameter")
	}
	if *mode == modeProbe {
		klog.InfoS("This mode is deprecated and checks nothing", "mode", *mode)
		return nil
	}
	if *healthPort > 0 && *httpEndpoint != "" {
		return errors.New("only one of --health-port and --http-endpoint can be set")
	}
	if *connectionTimeout != 0 {
		klog.InfoS("--connection-timeout is deprecated and has no effect")
	}
	address := *httpEndpoint
	if *healthPort > 0 {
		address = ":" + strconv.Itoa(*healthPort)
	}
	klog.InfoS("Running node-driver-registrar", "version", version, "mode", *mode)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return registrar.Run(ctx, registrar.Options{
		CSIAddress: *csiAddress, RegistrationDir: *registrationPath, KubeletPath: *kubeletPath,
		HTTPEndpoint: address, Timeout: *timeout, Pprof: *enablePprof,
	})
}
