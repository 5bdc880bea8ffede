package main

import (
	"flag"
	"strings"
	"testing"
)

func set(t *testing.T, flags map[string]string) {
	t.Helper()
	for name, value := range flags {
		old := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { flag.Set(name, old) })
	}
}

// There is no driver in these tests: what does not end at once would wait for one.
func TestTheProbeModeSucceedsAndDoesNothing(t *testing.T) {
	set(t, map[string]string{"mode": "kubelet-registration-probe", "kubelet-registration-path": "/none/csi.sock"})
	if err := run(); err != nil {
		t.Error(err)
	}
}

func TestFlagsThatAreRefused(t *testing.T) {
	for want, flags := range map[string]map[string]string{
		"--kubelet-registration-path": {},
		"--http-endpoint": {
			"kubelet-registration-path": "/none/csi.sock", "http-endpoint": ":1", "health-port": "2",
		},
	} {
		t.Run(want, func(t *testing.T) {
			set(t, flags)
			if err := run(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
