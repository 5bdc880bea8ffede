package nfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sync/singleflight"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// statsCache keeps the answers of statfs for a while: kubelet asks every minute for every volume.
type statsCache struct {
	ttl     time.Duration
	now     func() time.Time
	mutex   sync.Mutex
	entries map[string]statsEntry
	// A hard mount whose server is away blocks statfs. One thread per folder may wait for it, not one per question.
	running singleflight.Group
}

type statsEntry struct {
	response *csi.NodeGetVolumeStatsResponse
	expires  time.Time
}

func (c *statsCache) get(ctx context.Context, id, folder string) (*csi.NodeGetVolumeStatsResponse, error) {
	if response := c.cached(id); response != nil {
		return response, nil
	}
	answer := c.running.DoChan(folder, func() (any, error) { return folderStats(folder) })
	select {
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	case result := <-answer:
		if result.Err != nil {
			return nil, result.Err
		}
		response := result.Val.(*csi.NodeGetVolumeStatsResponse)
		c.store(id, response)
		return response, nil
	}
}

func (c *statsCache) cached(id string) *csi.NodeGetVolumeStatsResponse {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	entry, known := c.entries[id]
	if !known || c.now().After(entry.expires) {
		return nil
	}
	return entry.response
}

func (c *statsCache) store(id string, response *csi.NodeGetVolumeStatsResponse) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	now := c.now()
	fresh := map[string]statsEntry{id: {response: response, expires: now.Add(c.ttl)}}
	for other, entry := range c.entries {
		if other != id && now.Before(entry.expires) {
			fresh[other] = entry
		}
	}
	c.entries = fresh
}

func folderStats(folder string) (*csi.NodeGetVolumeStatsResponse, error) {
	if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil, status.Errorf(codes.NotFound, "path %s does not exist", folder)
	} else if err != nil {
		return nil, status.Errorf(codes.Internal, "failed to stat file %s: %v", folder, err)
	}
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return nil, status.Errorf(codes.Internal, "failed to get metrics: %v", err)
	}
	blocks := func(n uint64) int64 { return int64(n) * s.Frsize }
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{
		{
			Unit: csi.VolumeUsage_BYTES, Available: blocks(s.Bavail), Total: blocks(s.Blocks),
			Used: blocks(s.Blocks) - blocks(s.Bfree),
		},
		{
			Unit: csi.VolumeUsage_INODES, Available: int64(s.Ffree), Total: int64(s.Files),
			Used: int64(s.Files) - int64(s.Ffree),
		},
	}}, nil
}
