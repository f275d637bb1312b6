package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "grpc/testing"
)

const largeRequest, largeResponse = 271828, 314159

var (
	requestSizes  = []int{27182, 8, 1828, 45904}
	responseSizes = []int{31415, 9, 2653, 58979}
)

// cases are run with a connection and a context that ends in time.
var cases = []struct {
	name string
	run  func(peer) error
}{
	{"empty_unary", emptyUnary},
	{"large_unary", largeUnary},
	{"client_streaming", clientStreaming},
	{"server_streaming", serverStreaming},
	{"ping_pong", pingPong},
	{"empty_stream", emptyStream},
	{"client_compressed_unary", clientCompressedUnary},
	{"server_compressed_unary", serverCompressedUnary},
	{"client_compressed_streaming", clientCompressedStreaming},
	{"server_compressed_streaming", serverCompressedStreaming},
	{"custom_metadata", customMetadata},
	{"status_code_and_message", statusCodeAndMessage},
	{"special_status_message", specialStatusMessage},
	{"unimplemented_method", unimplementedMethod},
	{"unimplemented_service", unimplementedService},
	{"cancel_after_begin", cancelAfterBegin},
	{"cancel_after_first_response", cancelAfterFirstResponse},
	{"timeout_on_sleeping_server", timeoutOnSleepingServer},
}

func expect(what string, wanted, got interface{}) error {
	if !reflect.DeepEqual(wanted, got) {
		return fmt.Errorf("%s: expected %#v, got %#v", what, wanted, got)
	}
	return nil
}

func expectZeros(payload *pb.Payload, size int) error {
	if err := expect("payload's type", pb.PayloadType_COMPRESSABLE, payload.GetType()); err != nil {
		return err
	}
	if err := expect("payload's size", size, len(payload.GetBody())); err != nil {
		return err
	}
	for i, each := range payload.GetBody() {
		if each != 0 {
			return fmt.Errorf("byte %d of the payload: expected 0, got %d", i, each)
		}
	}
	return nil
}

func expectCode(err error, code codes.Code) error {
	if got := status.Code(err); got != code {
		return fmt.Errorf("status: expected %v, got %v: %v", code, got, err)
	}
	return nil
}

func expectStatus(err error, code codes.Code, message string) error {
	if err := expectCode(err, code); err != nil {
		return err
	}
	return expect("status message", message, status.Convert(err).Message())
}

func expectEnd(err error) error {
	if err != io.EOF {
		return fmt.Errorf("expected the end of the stream with OK, got %v", err)
	}
	return nil
}

func simpleRequest() *pb.SimpleRequest {
	return &pb.SimpleRequest{ResponseSize: largeResponse, Payload: zeros(largeRequest)}
}

func outputRequest(requestSize int, sizes ...int) *pb.StreamingOutputCallRequest {
	request := &pb.StreamingOutputCallRequest{Payload: zeros(requestSize)}
	for _, size := range sizes {
		request.ResponseParameters = append(request.ResponseParameters, &pb.ResponseParameters{Size: int32(size)})
	}
	return request
}

func (p peer) service() pb.TestServiceClient { return pb.NewTestServiceClient(p) }

func emptyUnary(p peer) error {
	response, err := p.service().EmptyCall(p.ctx, &pb.Empty{})
	if err != nil {
		return err
	}
	return expect("response", "", response.String())
}

func unary(p peer, request *pb.SimpleRequest, options ...grpc.CallOption) error {
	response, err := p.service().UnaryCall(p.ctx, request, options...)
	if err != nil {
		return err
	}
	return expectZeros(response.Payload, largeResponse)
}

func largeUnary(p peer) error { return unary(p, simpleRequest()) }

func clientStreaming(p peer) error {
	stream, err := p.service().StreamingInputCall(p.ctx)
	if err != nil {
		return err
	}
	total := 0
	for _, size := range requestSizes {
		if err := stream.Send(&pb.StreamingInputCallRequest{Payload: zeros(size)}); err != nil {
			return err
		}
		total += size
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	return expect("aggregated size", int32(total), response.AggregatedPayloadSize)
}

func serverStreaming(p peer) error {
	stream, err := p.service().StreamingOutputCall(p.ctx, outputRequest(0, responseSizes...))
	if err != nil {
		return err
	}
	for _, size := range responseSizes {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := expectZeros(response.Payload, size); err != nil {
			return err
		}
	}
	_, err = stream.Recv()
	return expectEnd(err)
}

// exchange sends one request in a stream and expects one response to it.
func exchange(stream pb.TestService_FullDuplexCallClient, requestSize, size int) error {
	if err := stream.Send(outputRequest(requestSize, size)); err != nil {
		return err
	}
	response, err := stream.Recv()
	if err != nil {
		return err
	}
	return expectZeros(response.Payload, size)
}

// closeDuplex expects the server to end the stream because the client did.
func closeDuplex(stream pb.TestService_FullDuplexCallClient) error {
	if err := stream.CloseSend(); err != nil {
		return err
	}
	_, err := stream.Recv()
	return expectEnd(err)
}

func pingPong(p peer) error {
	stream, err := p.service().FullDuplexCall(p.ctx)
	if err != nil {
		return err
	}
	for i, size := range requestSizes {
		if err := exchange(stream, size, responseSizes[i]); err != nil {
			return err
		}
	}
	return closeDuplex(stream)
}

func emptyStream(p peer) error {
	stream, err := p.service().FullDuplexCall(p.ctx)
	if err != nil {
		return err
	}
	return closeDuplex(stream)
}

func customMetadata(p peer) error {
	const initial, trailing = "test_initial_metadata_value", "\xab\xab\xab"
	expectEcho := func(header, trailer metadata.MD) error {
		if err := expect("initial metadata", []string{initial}, header.Get(echoInitial)); err != nil {
			return err
		}
		return expect("trailing metadata", []string{trailing}, trailer.Get(echoTrailing))
	}
	p.ctx = metadata.AppendToOutgoingContext(p.ctx, echoInitial, initial, echoTrailing, trailing)

	var header, trailer metadata.MD
	if err := unary(p, simpleRequest(), grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
		return err
	}
	if err := expectEcho(header, trailer); err != nil {
		return err
	}

	stream, err := p.service().FullDuplexCall(p.ctx)
	if err != nil {
		return err
	}
	if err := exchange(stream, largeRequest, largeResponse); err != nil {
		return err
	}
	if err := closeDuplex(stream); err != nil {
		return err
	}
	if header, err = stream.Header(); err != nil {
		return err
	}
	return expectEcho(header, stream.Trailer())
}

func statusCodeAndMessage(p peer) error {
	wanted := &pb.EchoStatus{Code: int32(codes.Unknown), Message: "test status message"}
	_, err := p.service().UnaryCall(p.ctx, &pb.SimpleRequest{ResponseStatus: wanted})
	if err := expectStatus(err, codes.Unknown, wanted.Message); err != nil {
		return err
	}
	stream, err := p.service().FullDuplexCall(p.ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.StreamingOutputCallRequest{ResponseStatus: wanted}); err != nil {
		return err
	}
	_, err = stream.Recv()
	return expectStatus(err, codes.Unknown, wanted.Message)
}

func specialStatusMessage(p peer) error {
	const message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
	wanted := &pb.EchoStatus{Code: int32(codes.Unknown), Message: message}
	_, err := p.service().UnaryCall(p.ctx, &pb.SimpleRequest{ResponseStatus: wanted})
	return expectStatus(err, codes.Unknown, message)
}

func unimplementedMethod(p peer) error {
	_, err := p.service().UnimplementedCall(p.ctx, &pb.Empty{})
	return expectCode(err, codes.Unimplemented)
}

func unimplementedService(p peer) error {
	_, err := pb.NewUnimplementedServiceClient(p).UnimplementedCall(p.ctx, &pb.Empty{})
	return expectCode(err, codes.Unimplemented)
}

func cancelAfterBegin(p peer) error {
	ctx, cancel := context.WithCancel(p.ctx)
	stream, err := p.service().StreamingInputCall(ctx)
	cancel()
	if err != nil {
		return err
	}
	_, err = stream.CloseAndRecv()
	return expectCode(err, codes.Canceled)
}

func cancelAfterFirstResponse(p peer) error {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	stream, err := p.service().FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := exchange(stream, requestSizes[0], responseSizes[0]); err != nil {
		return err
	}
	cancel()
	_, err = stream.Recv()
	return expectCode(err, codes.Canceled)
}

func timeoutOnSleepingServer(p peer) error {
	// So that the call reaches the server, and does not end in waiting for a connection.
	if err := emptyUnary(p); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, time.Millisecond)
	defer cancel()
	stream, err := p.service().FullDuplexCall(ctx)
	if err != nil {
		return expectCode(err, codes.DeadlineExceeded)
	}
	// The deadline may pass before this is sent, which Recv tells.
	if err := stream.Send(outputRequest(requestSizes[0])); err != nil && err != io.EOF {
		return expectCode(err, codes.DeadlineExceeded)
	}
	_, err = stream.Recv()
	return expectCode(err, codes.DeadlineExceeded)
}
