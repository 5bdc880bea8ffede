// Copyright: the mlops.platform maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
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
