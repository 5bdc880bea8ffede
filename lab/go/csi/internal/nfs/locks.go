package nfs

import (
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// volumeLocks let one call at a time work on a volume; the others are told to come back.
type volumeLocks struct {
	held sync.Map
}

// acquire returns the release, or Aborted where somebody has the key.
func (l *volumeLocks) acquire(key, volumeID string) (func(), error) {
	if _, taken := l.held.LoadOrStore(key, struct{}{}); taken {
		return nil, status.Errorf(codes.Aborted, "An operation with the given Volume ID %s already exists", volumeID)
	}
	return func() { l.held.Delete(key) }, nil
}
