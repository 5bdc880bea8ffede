package vfs

import (
	"bytes"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"mlops.platform/lab/nfsfuse/internal/nfs4"
)

// sliced is what the FUSE library looks for before it decides when to call Done.
type sliced interface {
	Slices() ([][]byte, fuse.Status)
}

func TestAnAnswerIsNotUsedAfterItsMemoryWasGivenBack(t *testing.T) {
	memory := []byte("what the server sent")
	reply := &readReply{call: &nfs4.Call{}, data: memory}
	if _, ok := any(reply).(sliced); !ok {
		t.Fatal("the library does not see Slices, and copies every answer")
	}
	got, status := reply.Bytes(make([]byte, 4))
	if !status.Ok() {
		t.Fatal(status)
	}
	reply.Done()
	copy(memory, bytes.Repeat([]byte{'x'}, len(memory))) // the next answer
	if string(got) != "what the server sent" {
		t.Fatalf("%q is another answer", got)
	}
}
