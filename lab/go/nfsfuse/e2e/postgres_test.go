//go:build ganesha

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// postgres is a server whose data lies on the mount of a squashed export. All files belong to squashUID, and so does the process.
type postgres struct {
	bin, data, run string
}

func startPostgres(t *testing.T) *postgres {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Fatal("PostgreSQL is not installed: run tests/go ganesha, which installs it")
	}
	p := &postgres{bin: filepath.Dir(found[len(found)-1]), data: mount(t, squashed) + "/data/pg", run: t.TempDir()}
	must(t, os.Chmod(p.run, 0o777))
	must(t, os.Chmod(filepath.Dir(p.run), 0o755))
	p.must(t, "initdb", "-D", p.data, "-A", "trust", "-U", "postgres")
	p.must(t, "pg_ctl", "-D", p.data, "-w", "-l", p.run+"/log", "-o", "-c listen_addresses= -k "+p.run, "start")
	t.Cleanup(func() {
		p.must(t, "pg_ctl", "-D", p.data, "-w", "-m", "fast", "stop")
		must(t, os.RemoveAll(p.data))
	})
	return p
}

func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(p.bin+"/"+name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: squashUID, Gid: squashGID}}
	cmd.Env = append(os.Environ(), "PGHOST="+p.run, "PGUSER=postgres", "LC_ALL=C")
	cmd.Dir = p.run
	return cmd
}

func (p *postgres) must(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := p.command(name, args...)
	// pg_ctl leaves the server behind with its output: a file does not keep this process waiting, a pipe would.
	out, err := os.CreateTemp(t.TempDir(), name)
	must(t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	runErr := cmd.Run()
	text, err := os.ReadFile(out.Name())
	must(t, err)
	if runErr != nil {
		t.Fatalf("%s: %v: %s", name, runErr, text)
	}
	return string(text)
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

func TestPostgresSpeed(t *testing.T) {
	p := startPostgres(t)
	p.must(t, "pgbench", "-i", "-s", "1", "postgres")
	out := p.must(t, "pgbench", "-c", "4", "-T", "10", "postgres")
	if !strings.Contains(out, "number of failed transactions: 0") {
		t.Error(out)
	}
	t.Logf("pgbench, scale 1, 4 clients: %s", tps.FindString(out))
	p.must(t, "pg_amcheck", "--install-missing", "--heapallindexed", "postgres")
}

// TestPostgresCommitsSurviveAnOutage lets four clients insert rows, takes the NFS server away, and compares the table with what
// the clients were told.
func TestPostgresCommitsSurviveAnOutage(t *testing.T) {
	p := startPostgres(t)
	p.must(t, "psql", "-c", "CREATE TABLE log (client int, n int)", "postgres")
	var group sync.WaitGroup
	stop := make(chan struct{})
	confirmed := make([]int, 4)
	var mu sync.Mutex
	for client := range confirmed {
		group.Go(func() {
			err := insert(p, client, stop, func() {
				mu.Lock()
				defer mu.Unlock()
				confirmed[client]++
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	reach := func(more int) {
		mu.Lock()
		goal := slices.Clone(confirmed)
		mu.Unlock()
		must(t, eventually(90*time.Second, func() error {
			mu.Lock()
			defer mu.Unlock()
			for i, n := range confirmed {
				if n < goal[i]+more {
					return fmt.Errorf("client %d has %d rows, want %d", i, n, goal[i]+more)
				}
			}
			return nil
		}))
	}
	reach(50)
	theLab.killServer()
	time.Sleep(outage)
	must(t, theLab.startServer())
	reach(50)
	close(stop)
	group.Wait()
	rows := strings.Fields(p.must(t, "psql", "-At", "-c", "SELECT client || ':' || count(*) || ':' || max(n) FROM log GROUP BY client ORDER BY client", "postgres"))
	expected := []string{}
	for client, n := range confirmed {
		expected = append(expected, fmt.Sprintf("%d:%d:%d", client, n, n-1))
	}
	want(t, "rows", rows, expected)
	log, err := os.ReadFile(p.run + "/log")
	must(t, err)
	if regexp.MustCompile(`(?m)(ERROR|FATAL|PANIC):`).Match(log) {
		t.Errorf("the server's log has errors:\n%s", log)
	}
	t.Logf("confirmed rows: %v", confirmed)
}

// insert sends one statement after another through psql, each after the answer of the one before.
func insert(p *postgres, client int, stop <-chan struct{}, confirm func()) error {
	cmd := p.command("psql", "-qAt", "-v", "ON_ERROR_STOP=1", "postgres")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	answers := bufio.NewScanner(out)
	for n := 0; ; n++ {
		select {
		case <-stop:
			in.Close()
			return cmd.Wait()
		default:
		}
		if _, err := fmt.Fprintf(in, "INSERT INTO log VALUES (%d, %d) RETURNING n;\n", client, n); err != nil {
			return err
		}
		if !answers.Scan() {
			return fmt.Errorf("client %d: %w", client, io.ErrUnexpectedEOF)
		}
		confirm()
	}
}

func TestSequentialSpeed(t *testing.T) {
	dir := work(t)
	const size = 1 << 30
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i * 7)
	}
	began := time.Now()
	f, err := os.Create(dir + "/big")
	must(t, err)
	defer f.Close()
	for range size / len(block) {
		_, err := f.Write(block)
		must(t, err)
	}
	must(t, f.Sync())
	written := time.Since(began)
	must(t, os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0))
	began = time.Now()
	g, err := os.Open(dir + "/big")
	must(t, err)
	defer g.Close()
	n, err := io.Copy(io.Discard, struct{ io.Reader }{g})
	must(t, err)
	want(t, "bytes read", n, size)
	t.Logf("1 GiB: written and synced at %.0f MiB/s, read at %.0f MiB/s", 1024/written.Seconds(), 1024/time.Since(began).Seconds())
}
