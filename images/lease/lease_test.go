// Copyright: the mlops.platform maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func folderFor(t *testing.T, ttl time.Duration) Folder {
	t.Helper()
	return Folder{Dir: filepath.Join(t.TempDir(), ".lease"), TTL: ttl, Say: t.Logf}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func acquire1(t *testing.T, folder Folder, uid string) *Lease {
	t.Helper()
	lease, err := folder.Acquire(Holder{Cluster: "one", PodUID: uid})
	must(t, err)
	return lease
}

func TestAReleasedLeaseIsTakenAtOnceAndFewFilesStay(t *testing.T) {
	folder := folderFor(t, time.Hour)
	for range 20 {
		must(t, acquire1(t, folder, "a").Release())
	}
	last := acquire1(t, folder, "b")
	numbers, err := folder.numbers()
	must(t, err)
	if len(numbers) != kept+1 || numbers[kept] != last.number {
		t.Fatalf("files %v, holder %d", numbers, last.number)
	}
	must(t, last.Renew())
}

func TestTheSamePodTakesItsLeaseAgain(t *testing.T) {
	folder := folderFor(t, time.Hour)
	first := acquire1(t, folder, "a")
	must(t, acquire1(t, folder, "a").Renew())
	if err := first.Renew(); !errors.Is(err, errLost) {
		t.Fatalf("the first container's lease should be lost: %v", err)
	}
}

func TestAnotherWaitsUntilTheHolderIsDoneAndNamesIt(t *testing.T) {
	folder := folderFor(t, time.Hour)
	first := acquire1(t, folder, "a")
	said, got := make(chan string, 9), make(chan *Lease)
	waiting := folder
	waiting.TTL = 9 * time.Second // one look each second
	waiting.Say = func(format string, values ...any) { said <- fmt.Sprintf(format, values...) }
	go func() { got <- acquire1(t, waiting, "b") }()
	t.Log(<-said)
	select {
	case <-got:
		t.Fatal("two hold the lease")
	default:
	}
	must(t, first.Release())
	must(t, (<-got).Renew())
}

func TestALeaseThatIsNotRenewedIsTakenOverAndItsHolderFindsOut(t *testing.T) {
	folder := folderFor(t, 90*time.Millisecond)
	first := acquire1(t, folder, "a")
	second := acquire1(t, folder, "b")
	if err := first.Renew(); !errors.Is(err, errLost) {
		t.Fatalf("the first holder should have lost it: %v", err)
	}
	must(t, second.Renew())
}

func TestAFileThatItsMakerNeverWroteRunsOut(t *testing.T) {
	folder := folderFor(t, 90*time.Millisecond)
	must(t, os.MkdirAll(folder.Dir, 0o700))
	must(t, os.WriteFile(folder.path(4), nil, 0o600))
	if lease := acquire1(t, folder, "b"); lease.number != 5 {
		t.Fatalf("took %d", lease.number)
	}
}

func TestANumberThatWasUsedBeforeIsGivenBack(t *testing.T) {
	folder := folderFor(t, time.Hour)
	must(t, os.MkdirAll(folder.Dir, 0o700))
	must(t, os.WriteFile(folder.path(3), nil, 0o600))
	lease, err := folder.take(2, Holder{PodUID: "late"})
	must(t, err)
	if lease != nil {
		t.Fatal("the second highest number must not hold")
	}
	if _, err := os.Stat(folder.alive(2)); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("its file should be gone: %v", err)
	}
}

func TestOfManyOnlyOneIsInsideAtAnyTime(t *testing.T) {
	folder := folderFor(t, 900*time.Millisecond)
	var inside, times atomic.Int32
	var all sync.WaitGroup
	for number := range 12 {
		all.Go(func() {
			for round := range 8 {
				lease, err := folder.Acquire(Holder{PodUID: fmt.Sprintf("%d/%d", number, round)})
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two hold the lease")
				}
				if err := lease.Renew(); err != nil {
					t.Errorf("a holder could not renew: %v", err)
				}
				times.Add(1)
				inside.Add(-1)
				if err := lease.Release(); err != nil {
					t.Errorf("a holder could not release: %v", err)
				}
			}
		})
	}
	all.Wait()
	if times.Load() != 96 {
		t.Fatalf("%d of 96 got it", times.Load())
	}
}

func TestARecordHasAlwaysTheSameSize(t *testing.T) {
	folder := folderFor(t, time.Hour)
	lease := acquire1(t, folder, "a")
	for range 12 {
		must(t, lease.Renew())
	}
	info, err := os.Stat(folder.alive(lease.number))
	must(t, err)
	if info.Size() != recordSize {
		t.Fatalf("%d bytes", info.Size())
	}
}

// files lists what lies in the folder of the lease.
func files(t *testing.T, folder Folder) []string {
	t.Helper()
	entries, err := os.ReadDir(folder.Dir)
	must(t, err)
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestAFullVolumeIsNamedAndLeavesNothingBehind(t *testing.T) {
	folder := folderFor(t, time.Hour)
	must(t, os.MkdirAll(folder.Dir, 0o700))
	// The kernel's own answer of a full volume, without a file system of one's own.
	must(t, os.Symlink("/dev/full", filepath.Join(folder.Dir, ".new-a")))
	_, err := folder.Acquire(Holder{PodUID: "a"})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "the volume is full") {
		t.Fatalf("the volume is full, said was: %v", err)
	}
	if left := files(t, folder); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
	// With space again the same pod does not wait for a holder that never was.
	must(t, acquire1(t, folder, "a").Renew())
}

func TestARecordThatCannotBePutInPlaceGivesTheNumberBack(t *testing.T) {
	folder := folderFor(t, time.Hour)
	must(t, os.MkdirAll(folder.alive(1), 0o700)) // no file can be renamed to a folder
	if _, err := folder.Acquire(Holder{PodUID: "a"}); err == nil {
		t.Fatal("the lease has no record")
	}
	if left := files(t, folder); len(left) != 1 || left[0] != "1.alive" {
		t.Fatalf("left behind: %v", left)
	}
}

func TestAVolumeOfAnotherUserIsNamed(t *testing.T) {
	folder := folderFor(t, time.Hour)
	must(t, os.Mkdir(folder.Dir, 0o500))
	if os.Getuid() == 0 {
		// Root may write everywhere: this thread, which ends with the test, acts as nobody on files until then.
		runtime.LockOSThread()
		must(t, syscall.Setfsuid(65534))
		defer func() { must(t, syscall.Setfsuid(0)) }()
	}
	_, err := folder.Acquire(Holder{PodUID: "a"})
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "the export must belong to them") {
		t.Fatalf("the folder is another user's, said was: %v", err)
	}
}

func TestAHolderWithSlashesInItsNameLeavesOneFilePerNumber(t *testing.T) {
	folder := folderFor(t, time.Hour)
	lease := acquire1(t, folder, "machine/1/2")
	if left := files(t, folder); len(left) != 2 || lease.number != 1 {
		t.Fatalf("files %v, holder %d", left, lease.number)
	}
}
