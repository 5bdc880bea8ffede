//go:build ganesha

// Package e2e runs the client against a real NFS-Ganesha: `go test -tags ganesha ./e2e` as root, with nfs-ganesha and
// nfs-ganesha-vfs installed. Server and client have network namespaces of their own.
package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mlops.platform/lab/nfsfuse/internal/mountd"
)

const (
	serverIP = "10.99.8.1"
	clientIP = "10.99.8.2"
	squashed = "/export/squashed/inner"
	plain    = "/export/plain"
)

// squashUID and squashGID own everything of the squashed export: the user postgres, because initdb wants one that has a name.
var squashUID, squashGID = ownerOfSquashed()

func ownerOfSquashed() (uid, gid uint32) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return 999, 999 // startPostgres tells that it is missing
	}
	n, _ := strconv.ParseUint(u.Uid, 10, 32)
	m, _ := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(n), uint32(m)
}

// lab is one server and one daemon.
type lab struct {
	dir      string
	serverNS string
	clientNS string
	ganesha  *exec.Cmd
	daemon   *exec.Cmd
}

var theLab *lab

func TestMain(m *testing.M) {
	if name := os.Getenv(helperEnv); name != "" {
		os.Exit(runHelper(name, os.Args[1:]))
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	l, err := newLab()
	if l != nil {
		defer l.destroy()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	theLab = l
	return m.Run()
}

func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

func newLab() (*lab, error) {
	dir, err := os.MkdirTemp("", "nfsfuse-e2e-")
	if err != nil {
		return nil, err
	}
	id := strconv.Itoa(os.Getpid())
	l := &lab{dir: dir, serverNS: "nfse2e-s-" + id, clientNS: "nfse2e-c-" + id}
	if err := os.Chmod(dir, 0o755); err != nil {
		return l, err
	}
	steps := [][]string{
		{"ip", "netns", "add", l.serverNS}, {"ip", "netns", "add", l.clientNS},
		{"ip", "-n", l.serverNS, "link", "set", "lo", "up"}, {"ip", "-n", l.clientNS, "link", "set", "lo", "up"},
		{"ip", "link", "add", "nfs0", "netns", l.serverNS, "type", "veth", "peer", "name", "nfs0", "netns", l.clientNS},
		{"ip", "-n", l.serverNS, "addr", "add", serverIP + "/24", "dev", "nfs0"},
		{"ip", "-n", l.clientNS, "addr", "add", clientIP + "/24", "dev", "nfs0"},
		{"ip", "-n", l.serverNS, "link", "set", "nfs0", "up"}, {"ip", "-n", l.clientNS, "link", "set", "nfs0", "up"},
		{"env", "CGO_ENABLED=0", "go", "build", "-o", dir + "/bin/", "../cmd/nfsfused", "../cmd/mount.nfs", "../cmd/nfsfuse"},
		{"mkdir", "-p", dir + "/exports/squashed/inner/data", dir + "/exports/plain", dir + "/recovery"},
		{"chown", "-R", fmt.Sprintf("%d:%d", squashUID, squashGID), dir + "/exports/squashed/inner"},
		{"chmod", "0700", dir + "/exports/squashed/inner"}, {"chmod", "1777", dir + "/exports/plain"},
	}
	for _, s := range steps {
		if err := run(s[0], s[1:]...); err != nil {
			return l, err
		}
	}
	if err := l.configure(); err != nil {
		return l, err
	}
	if err := l.startServer(); err != nil {
		return l, err
	}
	return l, l.startDaemon()
}

func (l *lab) configure() error {
	export := func(id int, path, pseudo, squash string) string {
		return fmt.Sprintf("EXPORT { Export_Id = %d; Path = %s; Pseudo = %s; Access_Type = RW; %s SecType = sys; Protocols = 4;"+
			" Transports = TCP; FSAL { Name = VFS; } }\n", id, path, pseudo, squash)
	}
	text := "NFS_CORE_PARAM { Protocols = 4; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; }\n" +
		"NFSV4 { Only_Numeric_Owners = true; Grace_Period = 8; Lease_Lifetime = 8; Minor_Versions = 1; RecoveryRoot = \"" + l.dir + "/recovery\"; }\n" +
		export(1, l.dir+"/exports/squashed/inner", squashed, fmt.Sprintf("Squash = All_Squash; Anonymous_Uid = %d; Anonymous_Gid = %d;", squashUID, squashGID)) +
		export(2, l.dir+"/exports/plain", plain, "Squash = No_Root_Squash;") +
		"LOG { Default_Log_Level = EVENT; }\n"
	return os.WriteFile(l.dir+"/ganesha.conf", []byte(text), 0o644)
}

// inNet starts a program in a network namespace. It is killed when the test process dies.
func inNet(ns string, log string, argv ...string) (*exec.Cmd, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + ns}, argv...)...)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, cmd.Start()
}

func (l *lab) startServer() (err error) {
	l.ganesha, err = inNet(l.serverNS, l.dir+"/ganesha.out", "ganesha.nfsd", "-F", "-f", l.dir+"/ganesha.conf",
		"-L", l.dir+"/ganesha.log", "-p", l.dir+"/ganesha.pid", "-N", "NIV_EVENT")
	if err != nil {
		return err
	}
	return eventually(30*time.Second, func() error { return l.check(plain) })
}

func (l *lab) check(path string) error {
	return run("nsenter", "--net=/run/netns/"+l.clientNS, l.dir+"/bin/nfsfuse", "check", "-timeout", "2s", serverIP+":"+path)
}

func (l *lab) killServer() {
	_ = l.ganesha.Process.Kill()
	_ = l.ganesha.Wait()
}

func (l *lab) startDaemon() (err error) {
	l.daemon, err = inNet(l.clientNS, l.dir+"/daemon.log", l.dir+"/bin/nfsfused", "-state", l.dir+"/state", "-socket", l.socket())
	if err != nil {
		return err
	}
	return eventually(10*time.Second, func() error {
		_, err := mountd.Ask(l.socket(), &mountd.Request{Op: mountd.OpStatus})
		return err
	})
}

func (l *lab) socket() string { return l.dir + "/nfsfuse.sock" }

func (l *lab) destroy() {
	if l.daemon != nil {
		_ = l.daemon.Process.Signal(syscall.SIGTERM)
		_ = l.daemon.Wait()
	}
	if l.ganesha != nil {
		l.killServer()
	}
	_ = run("ip", "netns", "del", l.serverNS)
	_ = run("ip", "netns", "del", l.clientNS)
	if os.Getenv("E2E_KEEP") == "" {
		_ = os.RemoveAll(l.dir)
	}
}

func eventually(limit time.Duration, try func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// mountAt mounts with the real helper.
func (l *lab) mountAt(target, path, options string) error {
	cmd := exec.Command(l.dir+"/bin/mount.nfs", serverIP+":"+path, target, "-o", options)
	cmd.Env = append(os.Environ(), "NFSFUSE_SOCKET="+l.socket())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// mount mounts a path for one test.
func mount(t *testing.T, path string) string {
	t.Helper()
	target := filepath.Join(theLab.dir, "mnt-"+strings.ReplaceAll(t.Name(), "/", "_")+"-"+strconv.Itoa(mounts()))
	must(t, os.Mkdir(target, 0o755))
	must(t, theLab.mountAt(target, path, "nfsvers=4.1,hard"))
	t.Cleanup(func() {
		if err := syscall.Unmount(target, 0); err != nil {
			t.Errorf("unmount: %v", err)
			_ = syscall.Unmount(target, syscall.MNT_DETACH)
		}
		_ = os.Remove(target)
	})
	return target
}

var mountCount int

func mounts() int {
	mountCount++
	return mountCount
}

// otherClient mounts by a process of its own, as the CSI controller does.
func otherClient(t *testing.T) string {
	t.Helper()
	target := filepath.Join(theLab.dir, "other-"+strconv.Itoa(mounts()))
	must(t, os.Mkdir(target, 0o755))
	cmd := exec.Command("nsenter", "--net=/run/netns/"+theLab.clientNS, theLab.dir+"/bin/mount.nfs", serverIP+":"+plain, target)
	cmd.Env = append(os.Environ(), "NFSFUSE_SOCKET="+theLab.dir+"/no-daemon")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(target, 0)) })
	return target
}

// work is a fresh folder on a mount of the export without squash.
func work(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(mount(t, plain), strings.ReplaceAll(t.Name(), "/", "_"))
	must(t, os.Mkdir(dir, 0o777))
	must(t, os.Chmod(dir, 0o777))
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// onServer is the place of a mounted file in the server's own file system.
func onServer(path string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path, theLab.dir+"/"), "/")
	return filepath.Join(theLab.dir, "exports/plain", rest)
}

func status(t *testing.T) []mountd.ExportStatus {
	t.Helper()
	reply, err := mountd.Ask(theLab.socket(), &mountd.Request{Op: mountd.OpStatus})
	must(t, err)
	return reply.Exports
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, what string, got, expected any) {
	t.Helper()
	g, _ := json.Marshal(got)
	e, _ := json.Marshal(expected)
	if string(g) != string(e) {
		t.Errorf("%s: got %s, want %s", what, g, e)
	}
}

func wantErr(t *testing.T, what string, err error, expected syscall.Errno) {
	t.Helper()
	var got syscall.Errno
	if !asErrno(err, &got) || got != expected {
		t.Errorf("%s: got %v, want %v", what, err, expected)
	}
}
