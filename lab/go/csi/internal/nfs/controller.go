package nfs

import (
	"context"
	"errors"
	"maps"
	"os"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"
)

var controllerCapabilities = []csi.ControllerServiceCapability_RPC_Type{
	csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
	csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
	// Without it the scheduler does not know ReadWriteOncePod.
	csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
}

// ControllerGetCapabilities lists what the controller can do.
func (d *Driver) ControllerGetCapabilities(
	context.Context, *csi.ControllerGetCapabilitiesRequest,
) (*csi.ControllerGetCapabilitiesResponse, error) {
	response := &csi.ControllerGetCapabilitiesResponse{}
	for _, capability := range controllerCapabilities {
		rpc := &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: capability}}
		response.Capabilities = append(response.Capabilities, &csi.ControllerServiceCapability{Type: rpc})
	}
	return response, nil
}

// CreateVolume makes the volume's folder in the share.
func (d *Driver) CreateVolume(_ context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	params, v, err := d.newVolume(request)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	release, err := d.locks.acquire(v.workName(), v.handle())
	if err != nil {
		return nil, err
	}
	defer release()
	options := request.GetVolumeCapabilities()[0].GetMount().GetMountFlags()
	err = d.inShare(v, options, func(root *os.Root) error { return makeFolder(root, v.subDir, params.mode) })
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	attributes := maps.Clone(request.GetParameters())
	setParameter(attributes, keySubDir, v.subDir)
	// Capacity 0: the PV gets the size that the claim asked for. Nothing enforces it but the server.
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{VolumeId: v.handle(), VolumeContext: attributes}}, nil
}

// newVolume is the volume that a request asks for.
func (d *Driver) newVolume(request *csi.CreateVolumeRequest) (parameters, volume, error) {
	if request.GetName() == "" {
		return parameters{}, volume{}, errors.New("CreateVolume name must be provided")
	}
	if err := checkCapabilities(request.GetVolumeCapabilities()); err != nil {
		return parameters{}, volume{}, err
	}
	if request.GetVolumeContentSource() != nil {
		return parameters{}, volume{}, errors.New("the lab's driver makes no clones and has no snapshots")
	}
	if err := checkClassKeys(request.GetParameters()); err != nil {
		return parameters{}, volume{}, err
	}
	params, err := parseParameters(request.GetParameters(), d.opts.MountPermissions)
	if err != nil {
		return parameters{}, volume{}, err
	}
	v := volume{server: params.server, share: params.share, subDir: params.subDir, onDelete: params.onDelete}
	if v.onDelete == "" {
		v.onDelete = d.opts.DefaultOnDelete
	}
	if v.subDir == "" {
		v.subDir = request.GetName()
	} else {
		v.uuid = request.GetName()
	}
	return params, v, v.check()
}

// DeleteVolume deletes the volume's folder, or keeps or archives it, as the handle says.
func (d *Driver) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	id := request.GetVolumeId()
	if id == "" {
		return nil, status.Error(codes.InvalidArgument, "volume id is empty")
	}
	v, err := parseHandle(id)
	if err != nil {
		// CSI wants success here: a volume with such an id cannot exist.
		klog.ErrorS(err, "No volume has this id, nothing to delete", "volumeID", id)
		return &csi.DeleteVolumeResponse{}, nil
	}
	release, err := d.locks.acquire(v.workName(), id)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := d.removeVolume(v, secretMountOptions(request.GetSecrets())); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.DeleteVolumeResponse{}, nil
}

func (d *Driver) removeVolume(v volume, options []string) error {
	if v.onDelete == "" {
		v.onDelete = d.opts.DefaultOnDelete
	}
	if isPolicy(v.onDelete, onDeleteRetain) {
		klog.V(2).InfoS("Volume is set to retain, its folder stays", "volumeID", v.handle())
		return nil
	}
	return d.inShare(v, options, func(root *os.Root) error {
		if isPolicy(v.onDelete, onDeleteArchive) {
			return archiveFolder(root, v.subDir, d.opts.RemoveArchived)
		}
		return deleteFolder(root, v.subDir)
	})
}

// ValidateVolumeCapabilities confirms every file system capability.
func (d *Driver) ValidateVolumeCapabilities(
	_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest,
) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if request.GetVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "Volume ID missing in request")
	}
	if err := checkCapabilities(request.GetVolumeCapabilities()); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
			VolumeCapabilities: request.GetVolumeCapabilities(),
		},
	}, nil
}

// ControllerExpandVolume changes nothing: a folder has no size.
func (d *Driver) ControllerExpandVolume(
	_ context.Context, request *csi.ControllerExpandVolumeRequest,
) (*csi.ControllerExpandVolumeResponse, error) {
	if request.GetVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "Volume ID missing in request")
	}
	if request.GetCapacityRange() == nil {
		return nil, status.Error(codes.InvalidArgument, "Capacity Range missing in request")
	}
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: request.GetCapacityRange().GetRequiredBytes()}, nil
}

func checkCapabilities(capabilities []*csi.VolumeCapability) error {
	if len(capabilities) == 0 {
		return errors.New("volume capabilities missing in request")
	}
	for _, capability := range capabilities {
		if capability.GetBlock() != nil {
			return errors.New("block volume capability not supported")
		}
	}
	return nil
}

// secretMountOptions are those of the provisioner's secret: at delete time no StorageClass is at hand.
func secretMountOptions(secrets map[string]string) []string {
	for key, value := range secrets {
		if strings.EqualFold(key, keyMountOptions) && value != "" {
			return []string{value}
		}
	}
	return nil
}
