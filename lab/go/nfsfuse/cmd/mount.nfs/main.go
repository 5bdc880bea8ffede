// Command mount.nfs mounts NFSv4.1 exports; mount(8) calls it. Where the kernel has an NFS client, that is used; else the daemon
// that listens on a socket; else a process of its own that lives as long as the mount.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"mlops.platform/lab/nfsfuse/internal/mountd"
)

// Exit codes of mount(8).
const (
	exitUsage = 1
	exitFail  = 32
)

const (
	defaultSocket = "/csi/nfsfuse.sock"
	kernelHelper  = "/sbin/mount.nfs.kernel"
)

func main() {
	if os.Getenv(serveEnv) != "" {
		serve()
		return
	}
	args, err := parseArgs(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "mount.nfs: %v\nusage: mount.nfs server:/path target [-sfnvrw] [-o options]\n", err)
		os.Exit(exitUsage)
	}
	if err := run(args); err != nil {
		fmt.Fprintf(os.Stderr, "mount.nfs: mounting %s on %s failed: %v\n", args.source, args.target, err)
		os.Exit(exitFail)
	}
}

type arguments struct {
	source, target string
	options        []string
	sloppy, fake   bool
}

// parseArgs reads the arguments as mount(8) gives them to its helpers.
func parseArgs(argv []string) (*arguments, error) {
	a := &arguments{}
	var plain []string
	for i := 0; i < len(argv); i++ {
		arg := argv[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			plain = append(plain, arg)
			continue
		}
		for j, flag := range arg[1:] {
			switch flag {
			case 's':
				a.sloppy = true
			case 'f':
				a.fake = true
			case 'n', 'v', 'w':
			case 'r':
				a.options = append(a.options, "ro")
			case 'o', 't', 'N':
				value := arg[j+2:]
				if value == "" {
					if i++; i >= len(argv) {
						return nil, fmt.Errorf("-%c needs a value", flag)
					}
					value = argv[i]
				}
				if flag == 'o' {
					a.options = append(a.options, value)
				}
			default:
				return nil, fmt.Errorf("flag -%c is not known", flag)
			}
			if strings.ContainsRune("otN", flag) {
				break
			}
		}
	}
	if len(plain) != 2 {
		return nil, errors.New("a source and a target are needed")
	}
	a.source, a.target = plain[0], plain[1]
	return a, nil
}

// way is how a mount is made.
type way int

const (
	byKernel way = iota
	byDaemon
	byOwnProcess
)

// choose prefers the kernel's client to the daemon, and that to a process of the mount's own.
func choose(filesystems, socket string) way {
	if hasNFS4(filesystems) {
		return byKernel
	}
	if _, err := os.Stat(socket); err == nil {
		return byDaemon
	}
	return byOwnProcess
}

func run(a *arguments) error {
	socket := os.Getenv("NFSFUSE_SOCKET")
	if socket == "" {
		socket = defaultSocket
	}
	filesystems, _ := os.ReadFile("/proc/filesystems") // without /proc there is no client of the kernel's to be seen
	chosen := choose(string(filesystems), socket)
	if chosen == byKernel {
		return syscall.Exec(kernelHelper, append([]string{kernelHelper}, os.Args[1:]...), os.Environ())
	}
	req, err := request(a)
	if err != nil || a.fake {
		return err
	}
	if chosen == byDaemon {
		_, err = mountd.Ask(socket, req)
		return err
	}
	return spawn(req)
}

func request(a *arguments) (*mountd.Request, error) {
	host, path, err := mountd.ParseSource(a.source)
	if err != nil {
		return nil, err
	}
	opts, err := mountd.ParseOptions(strings.Join(a.options, ","), a.sloppy)
	if err != nil {
		return nil, err
	}
	target, err := filepath.Abs(a.target)
	if err != nil {
		return nil, err
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return nil, fmt.Errorf("server name: %w", err)
	}
	ip := ips[0]
	for _, candidate := range ips {
		if candidate.To4() != nil {
			ip = candidate
			break
		}
	}
	return &mountd.Request{Op: mountd.OpMount, Host: host, IP: ip.String(), Path: path, Target: target, Options: opts}, nil
}

// hasNFS4 reads the text of /proc/filesystems.
func hasNFS4(filesystems string) bool { return slices.Contains(strings.Fields(filesystems), "nfs4") }
