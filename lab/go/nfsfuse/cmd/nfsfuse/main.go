// Command nfsfuse asks NFS servers and the daemon questions. It mounts nothing.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"mlops.platform/lab/nfsfuse/internal/mountd"
)

const usage = `usage:
  nfsfuse check [-timeout 10s] [-uid N -gid N] [-o options] server:/path   look a path up on a server, print JSON
  nfsfuse status -socket PATH                                              list what a daemon serves, print JSON
`

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "check":
		err = check(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "status":
		err = status(os.Args[2:])
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		os.Exit(1)
	}
}

func show(v any) {
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	_ = out.Encode(v)
}

func status(args []string) error {
	flags := flag.NewFlagSet("status", flag.ExitOnError)
	socket := flags.String("socket", "/csi/nfsfuse.sock", "the daemon's socket")
	_ = flags.Parse(args)
	reply, err := mountd.Ask(*socket, &mountd.Request{Op: mountd.OpStatus})
	if err != nil {
		fmt.Fprintf(os.Stderr, "nfsfuse: %v\n", err)
		return err
	}
	show(reply.Exports)
	return nil
}

func check(args []string) error {
	flags := flag.NewFlagSet("check", flag.ExitOnError)
	timeout := flags.Duration("timeout", 10*time.Second, "how long the server may take")
	options := flags.String("o", "", "mount options (port)")
	uid := flags.Uint("uid", 0, "uid to ask as")
	gid := flags.Uint("gid", 0, "gid to ask as")
	_ = flags.Parse(args)
	if flags.NArg() != 1 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	result := mountd.Check(flags.Arg(0), *options, uint32(*uid), uint32(*gid), *timeout)
	show(result)
	return result.Err
}
