// Copyright: the mlops.platform maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	cannotStart = 126
	killed      = 137
)

// watchSignals catches what a container receives. SIGCHLD tells that a process ended, SIGURG belongs to Go's runtime.
func watchSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGCHLD)
	return signals
}

func ends(signal os.Signal) bool {
	return signal == syscall.SIGTERM || signal == syscall.SIGINT || signal == syscall.SIGQUIT
}

// serve runs the program under the lease and gives the exit code of the container.
func serve(set settings, path string, lease *Lease, signals <-chan os.Signal) int {
	pid, err := start(set.program, path)
	if err != nil {
		say("cannot start %s: %v", path, err)
		release(lease)
		return cannotStart
	}
	keeper := keep(lease, set.ttl)
	for {
		select {
		case err := <-keeper.failed:
			say("stopping the server at once: %v", err)
			killAll(pid)
			return killed
		case got := <-signals:
			if code, ended := handle(got, pid, set.stop); ended {
				// What the server left behind must not write once the lease is free.
				killAll(pid)
				reapAll()
				keeper.end()
				release(lease)
				return code
			}
		}
	}
}

func release(lease *Lease) {
	if err := lease.Release(); err != nil {
		say("the lease was not released, it must run out: %v", err)
	}
}

// start runs the program in a process group of its own; the kernel ends it when this process dies.
func start(program []string, path string) (int, error) {
	attributes := &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	return syscall.ForkExec(path, program, attributes)
}

// handle passes a signal on, or reaps what ended; it tells the exit code when the server itself ended.
func handle(got os.Signal, server int, stop syscall.Signal) (int, bool) {
	if got != syscall.SIGCHLD {
		forward := got.(syscall.Signal)
		if ends(got) {
			forward = stop
		}
		_ = syscall.Kill(server, forward)
		return 0, false
	}
	code, ended := 0, false
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if pid <= 0 || err != nil {
			return code, ended
		}
		if pid == server {
			code, ended = exitCode(status), true
		}
	}
}

func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// killAll ends the server and all that it started. As process 1 of a container that is everything.
func killAll(server int) {
	if os.Getpid() == 1 {
		_ = syscall.Kill(-1, syscall.SIGKILL)
	}
	_ = syscall.Kill(-server, syscall.SIGKILL)
}

// reapAll waits until no process is left.
func reapAll() {
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// keeper renews a lease until it is ended or fails.
type keeper struct {
	failed chan error
	stop   chan struct{}
	done   chan struct{}
}

func (keeper keeper) end() {
	close(keeper.stop)
	<-keeper.done
}

// keep starts to renew the lease. It fails when the lease is lost, or was not renewed for two thirds of its time: counted from
// the start of the last renewal that succeeded, so that this end comes before anybody else's takeover.
func keep(lease *Lease, ttl time.Duration) keeper {
	keeper := keeper{make(chan error, 1), make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(keeper.done)
		if err := renewals(lease, ttl, keeper.stop); err != nil {
			keeper.failed <- err
		}
	}()
	return keeper
}

func renewals(lease *Lease, ttl time.Duration, stop <-chan struct{}) error {
	shown, running, last := lease.shown, false, error(nil)
	renewed := make(chan error, 1)
	tick, limit := time.NewTicker(ttl/9), time.NewTimer(time.Until(shown.Add(ttl*2/3)))
	defer tick.Stop()
	var attempt time.Time
	for {
		select {
		case <-stop:
			if running {
				<-renewed
			}
			return nil
		case <-tick.C:
			// A call into a file system that does not answer never returns, so it must not hold up this loop.
			if !running {
				running, attempt = true, time.Now()
				go func() { renewed <- lease.Renew() }()
			}
		case last = <-renewed:
			running = false
			if errors.Is(last, errLost) {
				return last
			}
			if last != nil {
				say("the lease could not be renewed: %v%s", last, remedy(last))
				continue
			}
			shown = attempt
			limit.Reset(time.Until(shown.Add(ttl * 2 / 3)))
		case <-limit.C:
			return tooLate(shown, last)
		}
	}
}

func tooLate(shown time.Time, last error) error {
	since := time.Since(shown).Round(time.Second)
	if last == nil {
		return fmt.Errorf("the lease was not renewed for %s: the storage does not answer, or this machine was paused", since)
	}
	return fmt.Errorf("the lease was not renewed for %s: %w", since, last)
}
