package main

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"

	pb "grpc/testing"
)

func clientCompressedUnary(p peer) error {
	request := simpleRequest()
	request.ExpectCompressed = &pb.BoolValue{Value: true}
	_, probe := p.service().UnaryCall(p.ctx, request)
	if err := expectCode(probe, codes.InvalidArgument); err != nil {
		return err
	}
	if err := unary(p, request, grpc.UseCompressor(gzip.Name)); err != nil {
		return err
	}
	request.ExpectCompressed.Value = false
	return unary(p, request)
}

func clientCompressedStreaming(p peer) error {
	first := &pb.StreamingInputCallRequest{Payload: zeros(27182), ExpectCompressed: &pb.BoolValue{Value: true}}
	second := &pb.StreamingInputCallRequest{Payload: zeros(45904), ExpectCompressed: &pb.BoolValue{Value: false}}

	// A server may give up as soon as it sees the request, so Send is allowed to find the stream ended.
	probe, err := p.service().StreamingInputCall(p.ctx)
	if err != nil {
		return err
	}
	if err := probe.Send(first); err != nil && err != io.EOF {
		return err
	}
	_, err = probe.CloseAndRecv()
	if err := expectCode(err, codes.InvalidArgument); err != nil {
		return err
	}

	// A message that was prepared for a stream that does not compress stays uncompressed in one that does.
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	plain, err := p.service().StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	var prepared grpc.PreparedMsg
	if err := prepared.Encode(plain, second); err != nil {
		return err
	}
	stream, err := p.service().StreamingInputCall(p.ctx, grpc.UseCompressor(gzip.Name))
	if err != nil {
		return err
	}
	if err := stream.Send(first); err != nil {
		return err
	}
	if err := stream.SendMsg(&prepared); err != nil {
		return err
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	return expect("aggregated size", int32(27182+45904), response.AggregatedPayloadSize)
}

// The library tells a server that it accepts compression only in calls that compress, hence UseCompressor in both below.

func serverCompressedUnary(p peer) error {
	for _, compressed := range []bool{true, false} {
		request := simpleRequest()
		request.ResponseCompressed = &pb.BoolValue{Value: compressed}
		if err := unary(p, request, grpc.UseCompressor(gzip.Name)); err != nil {
			return err
		}
		if err := expect("response is compressed", compressed, arrivedCompressed(p.ctx)); err != nil {
			return err
		}
	}
	return nil
}

func serverCompressedStreaming(p peer) error {
	wanted := []*pb.ResponseParameters{
		{Size: 31415, Compressed: &pb.BoolValue{Value: true}},
		{Size: 92653, Compressed: &pb.BoolValue{Value: false}},
	}
	request := &pb.StreamingOutputCallRequest{ResponseParameters: wanted}
	stream, err := p.service().StreamingOutputCall(p.ctx, request, grpc.UseCompressor(gzip.Name))
	if err != nil {
		return err
	}
	for _, each := range wanted {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := expectZeros(response.Payload, int(each.Size)); err != nil {
			return err
		}
		if err := expect("response is compressed", each.Compressed.Value, arrivedCompressed(p.ctx)); err != nil {
			return err
		}
	}
	_, err = stream.Recv()
	return expectEnd(err)
}
