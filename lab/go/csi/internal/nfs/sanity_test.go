package nfs

import (
	"path/filepath"
	"testing"

	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
)

// notForNFS are expectations that neither csi-driver-nfs nor this driver meets.
var notForNFS = []string{
	// A folder has no size, so nothing says that a volume of that name had another one.
	"should fail when requesting to create a volume with already existing name and different capacity",
	// The driver keeps no list of volumes.
	"should fail when the requested volume does not exist",
	// Kubelet keeps a ReadWriteOncePod volume from a second pod, the driver does not.
	"should fail when volume with single node single writer access mode is already mounted",
}

// TestSanity is the check that the CSI project has for drivers, with real mounts.
func TestSanity(t *testing.T) {
	b := newBench(t)
	b.export(t, "srv/sanity")
	config := sanity.NewTestConfig()
	config.Address = b.socket
	config.TargetPath = filepath.Join(b.pods, "target")
	config.StagingPath = filepath.Join(b.pods, "staging")
	config.TestVolumeParameters = map[string]string{"server": "nfs01.lab", "share": "/srv/sanity"}
	context := sanity.GinkgoTest(&config)
	defer context.Finalize()
	gomega.RegisterFailHandler(ginkgo.Fail)
	suite, reporter := ginkgo.GinkgoConfiguration()
	suite.SkipStrings = notForNFS
	reporter.Succinct = true
	ginkgo.RunSpecs(t, "CSI sanity", suite, reporter)
	b.assertTidy(t)
}
