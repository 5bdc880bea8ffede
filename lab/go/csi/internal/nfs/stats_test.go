package nfs

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
)

func statsRequest(folder string) *csi.NodeGetVolumeStatsRequest {
	return &csi.NodeGetVolumeStatsRequest{VolumeId: "vol-1", VolumePath: folder}
}

func TestStatsAreThoseOfTheFileSystem(t *testing.T) {
	_, c, _ := serve(t, options(t.TempDir()), nil)
	folder := t.TempDir()
	response, err := c.NodeGetVolumeStats(t.Context(), statsRequest(folder))
	must(t, err)
	var want unix.Statfs_t
	must(t, unix.Statfs(folder, &want))
	bytes, inodes := response.Usage[0], response.Usage[1]
	assertEqual(t, bytes.Unit, csi.VolumeUsage_BYTES)
	assertEqual(t, bytes.Total, int64(want.Blocks)*want.Frsize)
	assertEqual(t, inodes.Unit, csi.VolumeUsage_INODES)
	assertEqual(t, inodes.Total, int64(want.Files))
	assertEqual(t, inodes.Used+inodes.Available, inodes.Total)
	if bytes.Available <= 0 || bytes.Used <= 0 || bytes.Available+bytes.Used > bytes.Total {
		t.Errorf("bytes %v", bytes)
	}
}

func TestStatsAreKeptForAWhile(t *testing.T) {
	driver, c, _ := serve(t, options(t.TempDir()), nil)
	now := time.Now()
	driver.stats.now = func() time.Time { return now }
	folder := filepath.Join(t.TempDir(), "volume")
	must(t, os.Mkdir(folder, 0o755))
	_, err := c.NodeGetVolumeStats(t.Context(), statsRequest(folder))
	must(t, err)
	must(t, os.Remove(folder))
	now = now.Add(10 * time.Minute)
	_, err = c.NodeGetVolumeStats(t.Context(), statsRequest(folder))
	must(t, err)
	now = now.Add(time.Second)
	_, err = c.NodeGetVolumeStats(t.Context(), statsRequest(folder))
	assertCode(t, err, codes.NotFound)
}

func TestStatsRefusals(t *testing.T) {
	_, c, _ := serve(t, options(t.TempDir()), nil)
	_, err := c.NodeGetVolumeStats(t.Context(), &csi.NodeGetVolumeStatsRequest{VolumePath: "/"})
	assertCode(t, err, codes.InvalidArgument)
	_, err = c.NodeGetVolumeStats(t.Context(), &csi.NodeGetVolumeStatsRequest{VolumeId: "vol-1"})
	assertCode(t, err, codes.InvalidArgument)
}

func TestStatsOfAServerThatIsAwayBlockNobody(t *testing.T) {
	b := newBench(t)
	folder := filepath.Join(b.pods, "mount")
	fuse := asleepFUSE(t, folder)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := b.NodeGetVolumeStats(ctx, statsRequest(folder))
		cancel()
		assertCode(t, err, codes.DeadlineExceeded)
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	assertEqual(t, strings.Count(string(stacks), "nfs.folderStats("), 1)
	must(t, fuse.Close())
	_, err := b.NodeGetVolumeStats(t.Context(), statsRequest(folder))
	assertCode(t, err, codes.Internal)
}
