package mountd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Operations of a Request.
const (
	OpMount  = "mount"
	OpStatus = "status"
)

// Request is one line of JSON to the daemon's socket. It answers with a Reply, one line too, and closes.
type Request struct {
	Op      string   `json:"op"`
	Host    string   `json:"host,omitempty"` // as the user wrote it, for the list of mounts
	IP      string   `json:"ip,omitempty"`
	Path    string   `json:"path,omitempty"`
	Target  string   `json:"target,omitempty"`
	Options *Options `json:"options,omitempty"`
}

// Reply says what became of a Request.
type Reply struct {
	Error   string         `json:"error,omitempty"`
	Errno   int            `json:"errno,omitempty"`
	Exports []ExportStatus `json:"exports,omitempty"`
}

// ExportStatus describes one export that the daemon serves.
type ExportStatus struct {
	Server    string   `json:"server"`
	Export    string   `json:"export"`
	Mount     string   `json:"mount"`
	Targets   []string `json:"targets"`
	Connected bool     `json:"connected"`
	Error     string   `json:"error,omitempty"`
	Unstable  int64    `json:"unstable_bytes"`
}

// ErrNoDaemon says that nobody listens on the socket.
var ErrNoDaemon = errors.New("no daemon listens")

// Ask sends a request and waits for the answer.
func Ask(socket string, req *Request) (*Reply, error) {
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return nil, fmt.Errorf("%w on %s: %w", ErrNoDaemon, socket, err)
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(req); err != nil {
		return nil, err
	}
	var reply Reply
	if err := json.NewDecoder(conn).Decode(&reply); err != nil {
		return nil, fmt.Errorf("daemon gave no answer: %w", err)
	}
	if reply.Error != "" {
		return nil, &RemoteError{reply.Error, syscall.Errno(reply.Errno)}
	}
	return &reply, nil
}

// RemoteError is an error that the daemon reported.
type RemoteError struct {
	Text  string
	Errno syscall.Errno
}

func (e *RemoteError) Error() string { return e.Text }
