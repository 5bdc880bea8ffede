// Copyright: the mlops.platform maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// recordSize is the fixed size of a file: a renewal writes over the same bytes and needs no space on a full volume.
const recordSize = 1024

// Holder is who has the lease.
type Holder struct {
	Cluster string `json:"cluster"`
	Server  string `json:"server"`
	Node    string `json:"node"`
	Pod     string `json:"pod"`
	PodUID  string `json:"pod_uid"`
}

func (holder Holder) String() string {
	if holder == (Holder{}) {
		return "a holder that left no name"
	}
	return fmt.Sprintf("cluster %q (%s), pod %s (uid %s) on node %s",
		holder.Cluster, holder.Server, holder.Pod, holder.PodUID, holder.Node)
}

// Record is what a file holds. Nobody compares times of two machines: a lease is alive while its file changes.
type Record struct {
	Holder
	Renewals int  `json:"renewals"`
	Released bool `json:"released"`
}

func create(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	return errors.Join(err, closed(file))
}

func closed(file *os.File) error {
	if file == nil {
		return nil
	}
	return file.Close()
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func write(file *os.File, record Record) error {
	text, err := json.Marshal(record)
	if err == nil && len(text) >= recordSize {
		err = fmt.Errorf("the holder's description has %d bytes; at most %d fit", len(text), recordSize-1)
	}
	if err == nil {
		padded := bytes.Repeat([]byte{' '}, recordSize)
		copy(padded, text)
		padded[recordSize-1] = '\n'
		_, err = file.WriteAt(padded, 0)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func decode(content []byte) (Record, bool) {
	var record Record
	err := json.Unmarshal(content, &record)
	return record, err == nil
}

// remedy says what to do about the errors that a volume is known for.
func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ": the volume is full; make space or enlarge its quota, nothing was changed"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf(": this server runs as uid %d and gid %d; the export must belong to them (anonuid, anongid, owner)",
			os.Getuid(), os.Getgid())
	case errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ENOTCONN):
		return ": the mount is dead; delete the pod so that it is mounted anew"
	}
	return ""
}
