// Copyright: the mlops.platform maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets the test's own program stand for the real one.
func TestMain(m *testing.M) {
	if os.Getenv("LEASE_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

type running struct {
	*exec.Cmd
	dir    string
	output *bufio.Scanner
}

// run starts `lease run` over a shell script and waits until the script printed a line.
func run(t *testing.T, dir string, script string) running {
	t.Helper()
	command := exec.Command(os.Args[0], "run", "--dir", dir, "--seconds", "9", "--stop-signal", "INT", "--", "sh", "-c", script)
	command.Env = append(os.Environ(), "LEASE_TEST_MAIN=1", "LEASE_POD_UID="+t.Name())
	pipe, err := command.StdoutPipe()
	must(t, err)
	command.Stderr = os.Stderr
	must(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill() })
	output := bufio.NewScanner(pipe)
	if !output.Scan() {
		t.Fatal("the script said nothing")
	}
	return running{command, dir, output}
}

func (process running) code() int {
	_ = process.Wait()
	return process.ProcessState.ExitCode()
}

func TestTheExitCodeIsTheServersAndTheLeaseIsReleased(t *testing.T) {
	folder := folderFor(t, 0)
	if code := run(t, folder.Dir, "echo up; exit 7").code(); code != 7 {
		t.Fatalf("exit code %d", code)
	}
	content, err := os.ReadFile(folder.alive(1))
	must(t, err)
	if record, valid := decode(content); !valid || !record.Released {
		t.Fatalf("the lease is not released: %s", content)
	}
}

func TestAnEndIsPassedOnAsTheServersStopSignal(t *testing.T) {
	process := run(t, folderFor(t, 0).Dir, "trap 'exit 9' INT; trap 'exit 8' TERM; echo up; while :; do sleep 0.1; done")
	must(t, process.Process.Signal(syscall.SIGTERM))
	if code := process.code(); code != 9 {
		t.Fatalf("exit code %d", code)
	}
}

func TestALostLeaseKillsTheServerAtOnce(t *testing.T) {
	folder := folderFor(t, 0)
	process := run(t, folder.Dir, "trap '' INT TERM; echo up; while :; do sleep 0.1; done")
	must(t, os.WriteFile(folder.path(2), nil, 0o600))
	if code := process.code(); code != killed {
		t.Fatalf("exit code %d", code)
	}
}

func TestAFolderThatCannotBeWrittenEndsWithTheRemedy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	command := exec.Command(os.Args[0], "run", "--dir", filepath.Join(file, ".lease"), "--", "true")
	command.Env = append(os.Environ(), "LEASE_TEST_MAIN=1")
	output, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "cannot use the data folder") {
		t.Fatalf("%v: %s", err, output)
	}
}

func TestWrongArgumentsAreNamed(t *testing.T) {
	for arguments, wanted := range map[string]string{
		"":                                  "usage",
		"run -- true":                       "--dir is missing",
		"run --dir /d":                      "no program",
		"run --dir /d --seconds 3 -- true":  "too short",
		"run --dir /d --stop-signal X -- t": "unknown",
	} {
		if _, err := parse(strings.Fields(arguments)); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%q: %v", arguments, err)
		}
	}
}
