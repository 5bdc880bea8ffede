package nfs

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
)

func (b *bench) delete(t *testing.T, id string) error {
	t.Helper()
	_, err := b.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
	return err
}

func TestDeleteTakesTheFolderAndItsEmptyParents(t *testing.T) {
	b := newBench(t)
	share := b.export(t, "srv/jh")
	for _, claim := range []string{"claim-ana", "claim-ben"} {
		write(t, filepath.Join(share, "homes", claim, "sub", "file"), claim)
	}
	must(t, b.delete(t, "nfs01.lab#srv/jh#homes/claim-ana#pvc-1#"))
	assertNames(t, filepath.Join(share, "homes"), "claim-ben")
	must(t, b.delete(t, "nfs01.lab#srv/jh#homes/claim-ben#pvc-2#"))
	assertNames(t, share)
	must(t, b.delete(t, "nfs01.lab#srv/jh#homes/claim-ben#pvc-2#"))
	b.assertTidy(t)
}

func TestDeleteRetainDoesNotEvenMount(t *testing.T) {
	b := newBench(t)
	share := b.export(t, "srv/pg")
	write(t, filepath.Join(share, "data", "file"), "precious")
	must(t, b.delete(t, "nfs01.lab#srv/pg#data#pvc-1#Retain"))
	assertEqual(t, read(t, filepath.Join(share, "data", "file")), "precious")
	assertEqual(t, len(b.mountCalls(t)), 0)
}

func TestDeleteFollowsTheDefaultPolicy(t *testing.T) {
	b := newBench(t, func(o *Options) { o.DefaultOnDelete = onDeleteRetain })
	share := b.export(t, "srv/pg")
	write(t, filepath.Join(share, "data", "file"), "precious")
	must(t, b.delete(t, "nfs01.lab#srv/pg#data#pvc-1#"))
	assertNames(t, share, "data")
	must(t, b.delete(t, "nfs01.lab#srv/pg#data#pvc-1#delete"))
	assertNames(t, share)
}

func TestArchive(t *testing.T) {
	b := newBench(t)
	share := b.export(t, "srv/jh")
	for _, text := range []string{"first", "second"} {
		write(t, filepath.Join(share, "homes", "ana", "file"), text)
		for range 2 {
			must(t, b.delete(t, "nfs01.lab#srv/jh#homes/ana#pvc-1#archive"))
		}
		assertEqual(t, read(t, filepath.Join(share, "archived-homes", "ana", "file")), text)
		assertNames(t, filepath.Join(share, "homes"))
	}
	b.assertTidy(t)
}

func TestArchiveKeepsTheOldOneWhenAsked(t *testing.T) {
	b := newBench(t, func(o *Options) { o.RemoveArchived = false })
	share := b.export(t, "srv/pg")
	write(t, filepath.Join(share, "archived-data", "file"), "old")
	write(t, filepath.Join(share, "data", "file"), "new")
	assertCode(t, b.delete(t, "nfs01.lab#srv/pg#data#pvc-1#archive"), codes.Internal)
	assertEqual(t, read(t, filepath.Join(share, "archived-data", "file")), "old")
	assertEqual(t, read(t, filepath.Join(share, "data", "file")), "new")
}

func TestDeleteTakesMountOptionsFromTheSecret(t *testing.T) {
	b := newBench(t)
	b.export(t, "srv/pg")
	_, err := b.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{
		VolumeId: "nfs01.lab#srv/pg#data#pvc-1#", Secrets: map[string]string{"mountOptions": "nfsvers=4.1,hard"},
	})
	must(t, err)
	assertEqual(t, strings.Join(b.mountCalls(t), "\n"),
		"-t nfs -o nfsvers=4.1,hard nfs01.lab:/srv/pg "+filepath.Join(b.work, "pvc-1"))
}

func TestDeleteKnowsTheOldHandle(t *testing.T) {
	b := newBench(t)
	share := b.export(t, "srv/pg")
	write(t, filepath.Join(share, "pvc-1", "file"), "old")
	must(t, b.delete(t, "nfs01.lab/srv/pg/pvc-1"))
	assertNames(t, share)
}

// CSI wants success for an id that no volume can have. Nothing may be touched.
func TestDeleteOfAnImpossibleHandle(t *testing.T) {
	for _, id := range []string{
		"garbage",
		"nfs01.lab#srv/pg#../other#pvc-1#",
		"nfs01.lab#srv/pg/../other#data#pvc-1#",
		"nfs01.lab#srv/pg#data#../../pvc-1#",
		"nfs01.lab#srv/pg##pvc-1#",
		"nfs01.lab#srv/pg#.#pvc-1#",
		"nfs01.lab#srv/pg#/#pvc-1#",
		"nfs01.lab#srv/pg#data#/#",
	} {
		t.Run(id, func(t *testing.T) {
			b := newBench(t)
			share, other := b.export(t, "srv/pg"), b.export(t, "srv/other")
			write(t, filepath.Join(share, "data", "file"), "precious")
			write(t, filepath.Join(other, "data", "file"), "precious")
			must(t, b.delete(t, id))
			assertNames(t, filepath.Join(share, "data"), "file")
			assertNames(t, filepath.Join(other, "data"), "file")
			assertEqual(t, len(b.mountCalls(t)), 0)
		})
	}
	b := newBench(t)
	assertCode(t, b.delete(t, ""), codes.InvalidArgument)
}
