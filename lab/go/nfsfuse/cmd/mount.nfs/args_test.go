package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseArgs(t *testing.T) {
	for _, c := range []struct {
		argv string
		want arguments
		fail bool
	}{
		{argv: "s:/p /t", want: arguments{source: "s:/p", target: "/t"}},
		{argv: "s:/p /t -o nfsvers=4.1,hard", want: arguments{source: "s:/p", target: "/t", options: []string{"nfsvers=4.1,hard"}}},
		{argv: "s:/p /t -sfnv -r -oro,port=1", want: arguments{source: "s:/p", target: "/t", sloppy: true, fake: true,
			options: []string{"ro", "ro,port=1"}}},
		{argv: "-t nfs4 s:/p -rw /t", want: arguments{source: "s:/p", target: "/t", options: []string{"ro"}}},
		{argv: "s:/p", fail: true},
		{argv: "s:/p /t /u", fail: true},
		{argv: "s:/p /t -o", fail: true},
		{argv: "s:/p /t -x", fail: true},
	} {
		got, err := parseArgs(strings.Fields(c.argv))
		if c.fail {
			if err == nil {
				t.Errorf("%q: no error", c.argv)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.argv, err)
			continue
		}
		if got.source != c.want.source || got.target != c.want.target || got.sloppy != c.want.sloppy || got.fake != c.want.fake ||
			!slices.Equal(got.options, c.want.options) {
			t.Errorf("%q: got %+v, want %+v", c.argv, *got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	without, with := "nodev\tfuse\n\text4\nnodev\tnfsd\n", "nodev\tfuse\nnodev\tnfs\nnodev\tnfs4\n"
	if got := choose(without, socket); got != byOwnProcess {
		t.Errorf("no client and no daemon: got %v", got)
	}
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := choose(without, socket); got != byDaemon {
		t.Errorf("a daemon: got %v", got)
	}
	if got := choose(with, socket); got != byKernel {
		t.Errorf("the kernel's client: got %v", got)
	}
}
