// Package mountd mounts NFS exports on request: the protocol between mount.nfs and the daemon, and the daemon.
package mountd

import (
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"time"
)

// DefaultPort is where NFSv4 listens.
const DefaultPort = 2049

const defaultRetry = 60 * time.Second

// Options are the mount options that make a difference.
type Options struct {
	Port  int           `json:"port,omitempty"`
	Flags []string      `json:"flags,omitempty"` // ro, noexec, noatime and their like, for the mount itself
	Retry time.Duration `json:"retry,omitempty"` // how long the server may take to answer at mount time
	MaxIO uint32        `json:"max_io,omitempty"`
}

// ignored are options of nfs(5) and mount(8) that change nothing here.
var ignored = set(`rw hard intr nointr fg bg tcp atime relatime norelatime diratime strictatime lock nolock ac cto nocto acl noacl
	rdirplus nordirplus sharecache nosharecache resvport noresvport fsc nofsc suid nosuid dev nodev exec async _netdev nofail
	auto noauto defaults timeo retrans acregmin acregmax acdirmin acdirmax actimeo clientaddr addr local_lock namlen lookupcache
	nconnect max_connect migration nomigration comment softreval nosoftreval trunkdiscovery notrunkdiscovery silent loud`)

// refused are options whose promise this client does not keep.
var refused = map[string]string{
	"soft": "only hard mounts are offered", "softerr": "only hard mounts are offered", "udp": "only TCP is offered",
	"rdma": "only TCP is offered", "noac": "attributes are cached for one second", "sync": "writes become stable by fsync",
	"remount": "a mount cannot be changed", "v3": "only NFSv4.1 is offered", "v2": "only NFSv4.1 is offered",
	"v4.0": "only NFSv4.1 is offered",
}

var mountFlags = set("ro noexec noatime nodiratime")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// ParseOptions reads a comma separated list. sloppy accepts what is not known.
func ParseOptions(list string, sloppy bool) (*Options, error) {
	o := &Options{Port: DefaultPort, Retry: defaultRetry}
	for _, item := range strings.Split(list, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		if key == "" || strings.HasPrefix(key, "x-") || strings.HasPrefix(key, "X-") {
			continue
		}
		known, err := o.take(key, value)
		if err != nil {
			return nil, err
		}
		if !known && !sloppy {
			return nil, fmt.Errorf("mount option %q is not known", key)
		}
	}
	return o, nil
}

func (o *Options) take(key, value string) (known bool, err error) {
	if why := refused[key]; why != "" {
		return true, fmt.Errorf("mount option %q cannot be had: %s", key, why)
	}
	switch key {
	case "vers", "nfsvers":
		return true, oneOf(key, value, "only NFSv4.1 is offered", "4", "4.1", "4.2")
	case "minorversion":
		return true, oneOf(key, value, "only NFSv4.1 is offered", "1", "2")
	case "v4", "v4.1", "v4.2":
		return true, nil
	case "proto":
		return true, oneOf(key, value, "only TCP is offered", "tcp", "tcp6")
	case "sec":
		return true, oneOf(key, value, "only sec=sys is offered", "sys")
	case "xprtsec":
		return true, oneOf(key, value, "only xprtsec=none is offered", "none")
	case "port":
		return true, o.setPort(value)
	case "retry":
		return true, o.setRetry(value)
	case "rsize", "wsize":
		return true, o.limitIO(key, value)
	}
	if mountFlags[key] {
		o.Flags = append(o.Flags, key)
		return true, nil
	}
	return ignored[key], nil
}

func oneOf(key, value, why string, good ...string) error {
	for _, g := range good {
		if value == g {
			return nil
		}
	}
	return fmt.Errorf("mount option %s=%s cannot be had: %s", key, value, why)
}

func (o *Options) setPort(value string) error {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return fmt.Errorf("mount option port=%s is no port", value)
	}
	if n != 0 {
		o.Port = int(n)
	}
	return nil
}

// setRetry takes minutes, as nfs(5) does. 0 means one attempt; a server still gets time to answer that one.
func (o *Options) setRetry(value string) error {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return fmt.Errorf("mount option retry=%s is no number of minutes", value)
	}
	o.Retry = max(time.Duration(n)*time.Minute, 5*time.Second)
	return nil
}

func (o *Options) limitIO(key, value string) error {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return fmt.Errorf("mount option %s=%s is no size", key, value)
	}
	if n >= 4096 && (o.MaxIO == 0 || uint32(n) < o.MaxIO) {
		o.MaxIO = uint32(n)
	}
	return nil
}

// ParseSource reads "server:/path" and "[v6 address]:/path".
func ParseSource(source string) (host, dir string, err error) {
	i := strings.Index(source, ":/")
	if strings.HasPrefix(source, "[") {
		if end := strings.Index(source, "]:/"); end > 0 {
			i = end + 1
		}
	}
	if i <= 0 {
		return "", "", fmt.Errorf("source %q is not of the form server:/path", source)
	}
	return strings.Trim(source[:i], "[]"), path.Clean(source[i+1:]), nil
}

// Address joins an IP address and the port.
func (o *Options) Address(ip string) string { return net.JoinHostPort(ip, strconv.Itoa(o.Port)) }
