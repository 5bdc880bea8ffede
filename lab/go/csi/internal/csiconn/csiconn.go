// Package csiconn connects the sidecars to the socket of a CSI driver.
package csiconn

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/klog/v2"
)

// Dial takes the path of a unix socket, or an address with a scheme. It does not wait for the driver.
func Dial(address string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	if !strings.Contains(address, "://") {
		address = "unix:" + address
	}
	// gRPC's own longest pause, two minutes, would delay a sidecar whose driver starts a little later.
	pauses := backoff.DefaultConfig
	pauses.BaseDelay, pauses.MaxDelay = 100*time.Millisecond, time.Second
	options = append(options,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: pauses, MinConnectTimeout: time.Second}),
	)
	return grpc.NewClient(address, options...)
}

// AwaitReady returns when the driver has answered the connection.
func AwaitReady(ctx context.Context, conn *grpc.ClientConn) error {
	for conn.Connect(); ; conn.Connect() {
		state := conn.GetState()
		if state == connectivity.Ready {
			return nil
		}
		klog.V(2).InfoS("Connecting to the CSI driver", "address", conn.Target(), "state", state)
		if !conn.WaitForStateChange(ctx, state) {
			return ctx.Err()
		}
	}
}

// DriverName asks the driver for its name.
func DriverName(ctx context.Context, conn *grpc.ClientConn, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	info, err := csi.NewIdentityClient(conn).GetPluginInfo(ctx, &csi.GetPluginInfoRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return "", err
	}
	if info.GetName() == "" {
		return "", errors.New("driver name is empty")
	}
	return info.GetName(), nil
}
