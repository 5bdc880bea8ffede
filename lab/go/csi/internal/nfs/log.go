package nfs

import (
	"context"
	"fmt"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"k8s.io/klog/v2"
)

// logCall writes every call, those that come every few seconds only at a high level.
func logCall(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	level := klog.Level(2)
	switch info.FullMethod {
	case csi.Identity_Probe_FullMethodName, csi.Node_NodeGetCapabilities_FullMethodName,
		csi.Node_NodeGetVolumeStats_FullMethodName:
		level = 8
	}
	klog.V(level).InfoS("GRPC call", "method", info.FullMethod, "request", withoutSecrets(request))
	response, err := handler(ctx, request)
	if err != nil {
		klog.ErrorS(err, "GRPC error", "method", info.FullMethod)
		return response, err
	}
	klog.V(level).InfoS("GRPC response", "method", info.FullMethod, "response", withoutSecrets(response))
	return response, nil
}

// withoutSecrets leaves out the fields that the CSI specification marks as secret.
func withoutSecrets(message any) string {
	given, isProto := message.(proto.Message)
	if !isProto {
		return ""
	}
	shown := proto.Clone(given)
	reflected := shown.ProtoReflect()
	reflected.Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if secret, ok := proto.GetExtension(field.Options(), csi.E_CsiSecret).(bool); ok && secret {
			reflected.Clear(field)
		}
		return true
	})
	return fmt.Sprint(shown)
}
