package vfs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
	"mlops.platform/lab/nfsfuse/internal/rpc"
)

const (
	groupsValid = time.Second
	maxCreds    = 4096
)

// credCache finds the identity of a caller. Equal identities are the same pointer.
type credCache struct {
	client *nfs4.Client
	mu     sync.Mutex
	byPID  map[fuse.Caller]credEntry
	byName map[string]*rpc.Cred
}

type credEntry struct {
	cred *rpc.Cred
	at   time.Time
}

func (c *credCache) of(caller *fuse.Caller) *rpc.Cred {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byPID[*caller]; ok && time.Since(e.at) < groupsValid {
		return e.cred
	}
	if len(c.byPID) > maxCreds || c.byPID == nil {
		c.byPID = map[fuse.Caller]credEntry{}
	}
	if len(c.byName) > maxCreds || c.byName == nil {
		c.byName = map[string]*rpc.Cred{}
	}
	groups := groupsOf(caller.Pid)
	name := fmt.Sprint(caller.Uid, caller.Gid, groups)
	cred := c.byName[name]
	if cred == nil {
		cred = c.client.Cred(caller.Uid, caller.Gid, groups)
		c.byName[name] = cred
	}
	c.byPID[*caller] = credEntry{cred, time.Now()}
	return cred
}

// procField returns a line of /proc/PID/status.
func procField(pid uint32, name string) []byte {
	if pid == 0 {
		return nil
	}
	text, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(pid), 10) + "/status")
	if err != nil {
		return nil
	}
	_, rest, found := bytes.Cut(text, []byte("\n"+name+":"))
	if !found {
		return nil
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return bytes.TrimSpace(line)
}

func groupsOf(pid uint32) []uint32 {
	var groups []uint32
	for _, f := range bytes.Fields(procField(pid, "Groups")) {
		if g, err := strconv.ParseUint(string(f), 10, 32); err == nil {
			groups = append(groups, uint32(g))
		}
	}
	return groups
}

const sigkillBit = 1 << (9 - 1)

// dying tells whether a thread is being killed. The kernel turns every fatal signal into SIGKILL.
func dying(pid uint32) bool {
	for _, field := range []string{"SigPnd", "ShdPnd"} {
		mask, err := strconv.ParseUint(string(procField(pid, field)), 16, 64)
		if err == nil && mask&sigkillBit != 0 {
			return true
		}
	}
	return false
}

func interrupt(cancel <-chan struct{}, pid uint32) *nfs4.Intr {
	return &nfs4.Intr{C: cancel, Fatal: func() bool { return dying(pid) }}
}
