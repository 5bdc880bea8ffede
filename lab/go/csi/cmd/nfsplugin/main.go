// Command nfsplugin is the lab's stand-in for csi-driver-nfs, which has no Go module to build it from.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/klog/v2"
	mount "k8s.io/mount-utils"

	"mlops.platform/lab/csi/internal/nfs"
)

var (
	endpoint    = flag.String("endpoint", "unix://tmp/csi.sock", "CSI endpoint")
	nodeID      = flag.String("nodeid", "", "node id")
	driverName  = flag.String("drivername", nfs.DefaultName, "name of the driver")
	workDir     = flag.String("working-mount-dir", "/tmp", "folder to mount shares in for a short time")
	permissions = flag.Uint64("mount-permissions", 0, "mode of a volume's folder; 0 leaves it as it is")
	onDelete    = flag.String("default-ondelete-policy", "delete", "delete, retain or archive, "+
		"for volumes that do not say it")
	removeArchived = flag.Bool("remove-archived-volume-path", true, "remove the folder of an earlier archived volume")
	statsMinutes   = flag.Int("vol-stats-cache-expire-in-minutes", 10, "how long volume statistics are kept")
	_              = flag.Bool("use-tar-command-in-snapshot", false, "no effect: there are no snapshots")
	showVersion    = flag.Bool("version", false, "show the version")
)

func main() {
	klog.InitFlags(nil)
	flag.Parse()
	if *showVersion {
		fmt.Println(nfs.Banner(*driverName))
		return
	}
	klog.InfoS(nfs.Banner(*driverName))
	if err := run(); err != nil {
		klog.ErrorS(err, "Driver ended")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *nodeID == "" {
		klog.InfoS("--nodeid is empty")
	}
	driver, err := nfs.New(nfs.Options{
		Name: *driverName, NodeID: *nodeID, WorkingMountDir: *workDir, DefaultOnDelete: *onDelete,
		MountPermissions: *permissions, RemoveArchived: *removeArchived,
		StatsTTL: time.Duration(*statsMinutes) * time.Minute,
	}, mount.New(""))
	if err != nil {
		return err
	}
	listener, err := nfs.Listen(*endpoint)
	if err != nil {
		return err
	}
	return driver.Serve(ctx, listener)
}
