// Copyright: the mlops.platform maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

// Lease runs a server only while it holds the lease of the server's data folder, so that two servers never write to one
// folder: not after a forced delete of a pod, and not when two clusters were pointed at one folder.
//
//	lease run --dir /data/.lease --seconds 45 --stop-signal INT -- postgres ...
//
// The holder is described by the environment: LEASE_CLUSTER, LEASE_SERVER, LEASE_NODE, LEASE_POD and LEASE_POD_UID.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const usage = "usage: lease run --dir FOLDER [--seconds N] [--stop-signal TERM|INT|QUIT] -- PROGRAM [ARGUMENT...]"

var stopSignals = map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT}

type settings struct {
	dir     string
	ttl     time.Duration
	stop    syscall.Signal
	program []string
}

func parse(arguments []string) (settings, error) {
	if len(arguments) == 0 || arguments[0] != "run" {
		return settings{}, errors.New(usage)
	}
	flags := flag.NewFlagSet("lease run", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	dir := flags.String("dir", "", "folder of the lease, on the volume of the data")
	seconds := flags.Int("seconds", 45, "how long a lease holds that nobody renews")
	stop := flags.String("stop-signal", "TERM", "what ends the server gracefully: TERM, INT or QUIT")
	if err := flags.Parse(arguments[1:]); err != nil {
		return settings{}, err
	}
	signal, known := stopSignals[*stop]
	switch {
	case *dir == "":
		return settings{}, errors.New("--dir is missing; " + usage)
	case *seconds < 9:
		return settings{}, fmt.Errorf("--seconds %d is too short for a network file system: give at least 9", *seconds)
	case !known:
		return settings{}, fmt.Errorf("--stop-signal %s is unknown; known are TERM, INT and QUIT", *stop)
	case flags.NArg() == 0:
		return settings{}, errors.New("there is no program to run; " + usage)
	}
	return settings{*dir, time.Duration(*seconds) * time.Second, signal, flags.Args()}, nil
}

// identity describes this pod. Where the pod's uid is unknown, the machine and the time of the start tell holders apart.
func identity() Holder {
	host, _ := os.Hostname()
	holder := Holder{
		Cluster: os.Getenv("LEASE_CLUSTER"), Server: os.Getenv("LEASE_SERVER"), Node: os.Getenv("LEASE_NODE"),
		Pod: os.Getenv("LEASE_POD"), PodUID: os.Getenv("LEASE_POD_UID"),
	}
	if holder.PodUID == "" {
		holder.PodUID = fmt.Sprintf("%s/%d/%d", host, os.Getpid(), time.Now().UnixNano())
	}
	return holder
}

func say(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "lease: "+format+"\n", values...)
}

// The kernel ends the server when the thread that started it ends: that must be the one that lives as long as the process.
func init() {
	runtime.LockOSThread()
}

func main() {
	set, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		say("%v", err)
		os.Exit(2)
	}
	path, err := exec.LookPath(set.program[0])
	if err != nil {
		say("%v", err)
		os.Exit(127)
	}
	signals := watchSignals()
	held, err := acquire(set, signals)
	if err != nil {
		say("%v", err)
		os.Exit(1)
	}
	if held == nil {
		os.Exit(0)
	}
	os.Exit(serve(set, path, held, signals))
}

// acquire waits for the lease. It gives nil when the pod was asked to stop meanwhile.
func acquire(set settings, signals <-chan os.Signal) (*Lease, error) {
	type result struct {
		lease *Lease
		err   error
	}
	done := make(chan result, 1)
	folder := Folder{Dir: set.dir, TTL: set.ttl, Say: say}
	go func() {
		lease, err := folder.Acquire(identity())
		done <- result{lease, err}
	}()
	for {
		select {
		case got := <-done:
			return got.lease, got.err
		case signal := <-signals:
			if ends(signal) {
				say("asked to stop (%s) while waiting for the lease", strings.ToLower(signal.String()))
				return nil, nil
			}
		}
	}
}
