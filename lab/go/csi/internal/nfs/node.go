package nfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"
)

var nodeCapabilities = []csi.NodeServiceCapability_RPC_Type{
	csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
	// Without it kubelet refuses ReadWriteOncePod.
	csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
}

// NodeGetInfo has the node's name only: volumes are reached from everywhere.
func (d *Driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: d.opts.NodeID}, nil
}

// NodeGetCapabilities lists what the node's part can do.
func (d *Driver) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	response := &csi.NodeGetCapabilitiesResponse{}
	for _, capability := range nodeCapabilities {
		rpc := &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: capability}}
		response.Capabilities = append(response.Capabilities, &csi.NodeServiceCapability{Type: rpc})
	}
	return response, nil
}

// NodePublishVolume mounts the volume at the pod's folder.
func (d *Driver) NodePublishVolume(
	_ context.Context, request *csi.NodePublishVolumeRequest,
) (*csi.NodePublishVolumeResponse, error) {
	params, err := d.publishParameters(request)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	id, target := request.GetVolumeId(), request.GetTargetPath()
	release, err := d.locks.acquire(id+"-"+target, id)
	if err != nil {
		return nil, err
	}
	defer release()
	mounted, err := d.prepareTarget(target)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if mounted {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	source, options := mountSource(params.server, params.share, params.subDir), publishOptions(request, params)
	klog.V(2).InfoS("Mounting", "volumeID", id, "source", source, "target", target, "options", options)
	if err := d.mountNFS(source, target, options); err != nil {
		return nil, status.Error(mountErrorCode(err), err.Error())
	}
	if err := chmodIfDifferent(target, params.mode); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

func (d *Driver) publishParameters(request *csi.NodePublishVolumeRequest) (parameters, error) {
	switch {
	case request.GetVolumeCapability() == nil:
		return parameters{}, errors.New("Volume capability missing in request")
	case request.GetVolumeId() == "":
		return parameters{}, errors.New("Volume ID missing in request")
	case request.GetTargetPath() == "":
		return parameters{}, errors.New("Target path not provided")
	}
	return parseParameters(request.GetVolumeContext(), d.opts.MountPermissions)
}

func publishOptions(request *csi.NodePublishVolumeRequest, params parameters) []string {
	options := slices.Clone(request.GetVolumeCapability().GetMount().GetMountFlags())
	if request.GetReadonly() {
		options = append(options, "ro")
	}
	if params.mountOptions != "" {
		options = append(options, params.mountOptions)
	}
	return options
}

func mountErrorCode(err error) codes.Code {
	switch {
	case errors.Is(err, os.ErrPermission):
		return codes.PermissionDenied
	case strings.Contains(err.Error(), "invalid argument"):
		return codes.InvalidArgument
	}
	return codes.Internal
}

// chmodIfDifferent leaves a folder alone that has the mode: chmod is often refused on a squashed export.
func chmodIfDifferent(folder string, mode uint64) error {
	if mode == 0 {
		return nil
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	const bits = os.ModePerm | os.ModeSetuid | os.ModeSetgid | os.ModeSticky
	if info.Mode()&bits == fileMode(mode) {
		return nil
	}
	return os.Chmod(folder, fileMode(mode))
}

// NodeUnpublishVolume unmounts the volume from the pod's folder and removes that.
func (d *Driver) NodeUnpublishVolume(
	_ context.Context, request *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	id, target := request.GetVolumeId(), request.GetTargetPath()
	if id == "" {
		return nil, status.Error(codes.InvalidArgument, "Volume ID missing in request")
	}
	if target == "" {
		return nil, status.Error(codes.InvalidArgument, "Target path missing in request")
	}
	release, err := d.locks.acquire(id+"-"+target, id)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := d.unmount(target); err != nil {
		return nil, status.Error(codes.Internal, fmt.Sprintf("failed to unmount target %q: %v", target, err))
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// NodeGetVolumeStats has the size of the file system that the volume is on.
func (d *Driver) NodeGetVolumeStats(
	ctx context.Context, request *csi.NodeGetVolumeStatsRequest,
) (*csi.NodeGetVolumeStatsResponse, error) {
	if request.GetVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "NodeGetVolumeStats volume ID was empty")
	}
	if request.GetVolumePath() == "" {
		return nil, status.Error(codes.InvalidArgument, "NodeGetVolumeStats volume path was empty")
	}
	return d.stats.get(ctx, request.GetVolumeId(), request.GetVolumePath())
}
