package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"syscall"

	"mlops.platform/lab/nfsfuse/internal/mountd"
)

// serveEnv tells a copy of this program that it is the process behind one mount. The request comes on standard input, the reply
// goes to file descriptor 3.
const serveEnv = "NFSFUSE_SERVE"

// spawn starts the process behind one mount and waits until it is mounted.
func spawn(req *mountd.Request) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close()
	in, err := json.Marshal(req)
	if err != nil {
		return err
	}
	requestIn, requestOut, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Args[0] = "nfsfuse-mount " + req.Target
	cmd.Env = append(os.Environ(), serveEnv+"=1")
	cmd.Dir = "/"
	cmd.Stdin = requestIn
	cmd.ExtraFiles = []*os.File{writer}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	writer.Close()
	requestIn.Close()
	if _, err := requestOut.Write(in); err != nil {
		return err
	}
	requestOut.Close()
	var reply mountd.Reply
	if err := json.NewDecoder(reader).Decode(&reply); err != nil {
		return fmt.Errorf("mount process gave no answer: %w", err)
	}
	if reply.Error != "" {
		return errors.New(reply.Error)
	}
	return nil
}

// serve is the process behind one mount.
func serve() {
	out := os.NewFile(3, "reply")
	var req mountd.Request
	err := json.NewDecoder(os.Stdin).Decode(&req)
	var wait func()
	if err == nil {
		wait, err = mountd.MountOne(&req, log.Printf)
	}
	reply := mountd.Reply{}
	if err != nil {
		reply.Error = err.Error()
	}
	_ = json.NewEncoder(out).Encode(&reply)
	out.Close()
	if err != nil {
		os.Exit(exitFail)
	}
	wait()
}
