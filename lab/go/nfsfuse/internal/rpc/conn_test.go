package rpc

import (
	"context"
	"net"
	"testing"
	"time"
)

// TestMoreConnectionsThanReservedPorts ends more connections within TIME_WAIT than there are reserved ports, to many servers as a machine
// that mounts from many has them, and to one as a client has that reconnects.
func TestMoreConnectionsThanReservedPorts(t *testing.T) {
	first := listen(t)
	for i := range lastReserved - firstReserved + 50 {
		addr := first
		if i%8 != 0 {
			addr = listen(t)
		}
		c, err := Dial(context.Background(), addr, time.Second)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		c.Close()
	}
}

func listen(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
