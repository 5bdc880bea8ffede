// Copyright: the mlops.platform maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Each holder has a number that only grows. Only one process can make the file of the next number (O_EXCL), and the highest number
// holds, so a takeover needs no lock that could be left behind. The holder shows that it is alive in a second file, which the next
// holder removes: on a network file system the list of a folder may be old for a while, the opening of a file never is.

// kept is how many used numbers stay, so that one who read the folder a while ago finds the next number taken.
const kept = 4

// Folder is the place of the lease.
type Folder struct {
	Dir string
	TTL time.Duration
	Say func(format string, values ...any)
}

// Lease is a lease that this process holds.
type Lease struct {
	folder Folder
	number int
	// shown is when the holder began to show last that it is alive.
	shown time.Time

	saving sync.Mutex
	record Record
}

var errLost = errors.New("another holder took the lease over")

// Acquire waits until the lease is free, released or run out, and takes it.
func (folder Folder) Acquire(holder Holder) (*Lease, error) {
	if err := os.MkdirAll(folder.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot use the data folder: %w%s", err, remedy(err))
	}
	for {
		highest, err := folder.highest()
		if err != nil {
			return nil, err
		}
		if highest > 0 {
			if err := folder.awaitEnd(highest, holder); err != nil {
				return nil, err
			}
		}
		lease, err := folder.take(highest+1, holder)
		if err != nil || lease != nil {
			return lease, err
		}
		// A network file system may show an old list of the folder for a while; only the creation of a file is always current.
		time.Sleep(folder.TTL / 9)
	}
}

// take tries to become the holder with this number; nil where somebody else was first.
func (folder Folder) take(number int, holder Holder) (*Lease, error) {
	lease := &Lease{folder: folder, number: number, shown: time.Now(), record: Record{Holder: holder}}
	taken, err := folder.claim(lease)
	if err != nil {
		return nil, fmt.Errorf("cannot take the lease: %w%s", err, remedy(err))
	}
	if !taken {
		return nil, nil
	}
	numbers, err := folder.numbers()
	if err != nil {
		return nil, err
	}
	// This number may have been used and removed since the folder was read: then a higher one exists.
	if numbers[len(numbers)-1] > number {
		return nil, remove(folder.alive(number))
	}
	for _, old := range numbers[:len(numbers)-1] {
		err := remove(folder.alive(old))
		if err == nil && old < number-kept {
			err = remove(folder.path(old))
		}
		if err != nil {
			return nil, err
		}
	}
	return lease, nil
}

// claim makes the files of a number, or none of them. The record is written before the number is taken: on a full volume a number
// without a record would stay behind, and the next start would take it for a holder.
func (folder Folder) claim(lease *Lease) (bool, error) {
	prepared := filepath.Join(folder.Dir, ".new-"+strings.ReplaceAll(lease.record.PodUID, "/", "-"))
	file, err := os.OpenFile(prepared, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		err = write(file, lease.record)
	}
	if err != nil {
		return false, errors.Join(err, remove(prepared))
	}
	err = create(folder.path(lease.number))
	if errors.Is(err, fs.ErrExist) {
		return false, remove(prepared)
	}
	if err != nil {
		return false, errors.Join(err, remove(prepared))
	}
	if err := os.Rename(prepared, folder.alive(lease.number)); err != nil {
		return false, errors.Join(err, remove(prepared), remove(folder.path(lease.number)))
	}
	return true, nil
}

// awaitEnd returns when the holder of this number released it, lost it, or did not renew it for the lease's time.
func (folder Folder) awaitEnd(number int, holder Holder) error {
	var seen []byte
	var since, told time.Time
	for {
		content, err := os.ReadFile(folder.alive(number))
		if errors.Is(err, fs.ErrNotExist) && len(seen) > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot read the lease: %w%s", err, remedy(err))
		}
		other, valid := decode(content)
		// The same pod: its last container has ended, or this one would not run.
		if valid && (other.Released || other.PodUID == holder.PodUID) {
			return nil
		}
		if since.IsZero() || !bytes.Equal(content, seen) {
			seen, since = content, time.Now()
		}
		unchanged := time.Since(since)
		if unchanged >= folder.TTL {
			folder.Say("the lease of %s was not renewed for %s: taking it over", other.Holder, folder.TTL)
			return nil
		}
		if time.Since(told) >= folder.TTL {
			told = time.Now()
			folder.Say("waiting: the data folder %s is held by %s. If that is another cluster, two clusters were given one folder. "+
				"It is taken over when it is not renewed for %s", filepath.Dir(folder.Dir), other.Holder, folder.TTL)
		}
		time.Sleep(min(folder.TTL-unchanged, folder.TTL/9))
	}
}

// Renew shows that the holder is alive, and finds out whether it still is the holder.
func (lease *Lease) Renew() error {
	return lease.save(func(record *Record) { record.Renewals++ })
}

// Release lets the next one take the lease at once.
func (lease *Lease) Release() error {
	err := lease.save(func(record *Record) { record.Released = true })
	if errors.Is(err, errLost) {
		return nil
	}
	return err
}

func (lease *Lease) save(change func(*Record)) error {
	lease.saving.Lock()
	defer lease.saving.Unlock()
	change(&lease.record)
	file, err := os.OpenFile(lease.folder.alive(lease.number), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return errLost
	}
	if err != nil {
		return err
	}
	if err := write(file, lease.record); err != nil {
		return err
	}
	highest, err := lease.folder.highest()
	if err == nil && highest != lease.number {
		return errLost
	}
	return err
}

func (folder Folder) path(number int) string {
	return filepath.Join(folder.Dir, strconv.Itoa(number))
}

func (folder Folder) alive(number int) string {
	return folder.path(number) + ".alive"
}

func (folder Folder) highest() (int, error) {
	numbers, err := folder.numbers()
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	return numbers[len(numbers)-1], nil
}

// numbers lists the files of the lease in order.
func (folder Folder) numbers() ([]int, error) {
	entries, err := os.ReadDir(folder.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the lease's folder: %w%s", err, remedy(err))
	}
	numbers := []int{}
	for _, entry := range entries {
		if number, err := strconv.Atoi(entry.Name()); err == nil && number > 0 {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
