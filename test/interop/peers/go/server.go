package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "grpc/testing"
)

const (
	echoInitial  = "x-grpc-test-echo-initial"
	echoTrailing = "x-grpc-test-echo-trailing-bin"
)

// testServer answers UNIMPLEMENTED to the methods that are not below.
type testServer struct {
	pb.UnimplementedTestServiceServer
}

// echoed is what the metadata that came asks to be sent back, at the start and at the end.
func echoed(ctx context.Context) (initial, trailing metadata.MD) {
	came, _ := metadata.FromIncomingContext(ctx)
	initial, trailing = metadata.MD{}, metadata.MD{}
	initial.Set(echoInitial, came.Get(echoInitial)...)
	trailing.Set(echoTrailing, came.Get(echoTrailing)...)
	return initial, trailing
}

func echoStream(stream grpc.ServerStream) error {
	initial, trailing := echoed(stream.Context())
	stream.SetTrailer(trailing)
	return stream.SendHeader(initial)
}

func echoStatus(wanted *pb.EchoStatus) error {
	return status.Error(codes.Code(wanted.GetCode()), wanted.GetMessage())
}

func checkCompression(ctx context.Context, expected *pb.BoolValue) error {
	if came := arrivedCompressed(ctx); expected != nil && expected.Value != came {
		return status.Errorf(codes.InvalidArgument, "compressed: %v; expected the contrary", came)
	}
	return nil
}

// A handler cannot choose: the library answers compressed requests with compression, and others without.
func refuseCompression(wanted *pb.BoolValue) error {
	if wanted != nil {
		return status.Error(codes.Unimplemented, "grpc-go does not let a handler choose compression")
	}
	return nil
}

func payload(size int32) (*pb.Payload, error) {
	if size < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "a size of %d", size)
	}
	return zeros(int(size)), nil
}

func (testServer) EmptyCall(context.Context, *pb.Empty) (*pb.Empty, error) { return &pb.Empty{}, nil }

func (testServer) UnaryCall(ctx context.Context, request *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	initial, trailing := echoed(ctx)
	if err := grpc.SetTrailer(ctx, trailing); err != nil {
		return nil, err
	}
	if err := grpc.SetHeader(ctx, initial); err != nil {
		return nil, err
	}
	if err := checkCompression(ctx, request.ExpectCompressed); err != nil {
		return nil, err
	}
	if err := refuseCompression(request.ResponseCompressed); err != nil {
		return nil, err
	}
	if err := echoStatus(request.ResponseStatus); err != nil {
		return nil, err
	}
	body, err := payload(request.ResponseSize)
	return &pb.SimpleResponse{Payload: body}, err
}

type responseStream interface {
	Send(*pb.StreamingOutputCallResponse) error
	grpc.ServerStream
}

func respond(stream responseStream, request *pb.StreamingOutputCallRequest) error {
	if err := echoStatus(request.ResponseStatus); err != nil {
		return err
	}
	for _, wanted := range request.ResponseParameters {
		if err := refuseCompression(wanted.Compressed); err != nil {
			return err
		}
		select {
		case <-time.After(time.Duration(wanted.IntervalUs) * time.Microsecond):
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
		body, err := payload(wanted.Size)
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: body}); err != nil {
			return err
		}
	}
	return nil
}

func (testServer) StreamingOutputCall(
	request *pb.StreamingOutputCallRequest, stream pb.TestService_StreamingOutputCallServer,
) error {
	if err := echoStream(stream); err != nil {
		return err
	}
	return respond(stream, request)
}

func (testServer) StreamingInputCall(stream pb.TestService_StreamingInputCallServer) error {
	if err := echoStream(stream); err != nil {
		return err
	}
	size := 0
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: int32(size)})
		}
		if err != nil {
			return err
		}
		if err := checkCompression(stream.Context(), request.ExpectCompressed); err != nil {
			return err
		}
		size += len(request.Payload.GetBody())
	}
}

func (testServer) FullDuplexCall(stream pb.TestService_FullDuplexCallServer) error {
	if err := echoStream(stream); err != nil {
		return err
	}
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := respond(stream, request); err != nil {
			return err
		}
	}
}

func (testServer) HalfDuplexCall(stream pb.TestService_HalfDuplexCallServer) error {
	if err := echoStream(stream); err != nil {
		return err
	}
	var requests []*pb.StreamingOutputCallRequest
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		requests = append(requests, request)
	}
	for _, request := range requests {
		if err := respond(stream, request); err != nil {
			return err
		}
	}
	return nil
}

func runServer(arguments []string) error {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	port := flags.Uint("port", 0, "0: a free one")
	useTLS := flags.Bool("use_tls", false, "true or false")
	certificate := flags.String("tls_cert_file", "", "the certificate, PEM")
	key := flags.String("tls_key_file", "", "its key, PEM")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	options := []grpc.ServerOption{grpc.StatsHandler(arrivals{})}
	if *useTLS {
		if *certificate == "" || *key == "" {
			return usagef("--use_tls=true needs --tls_cert_file and --tls_key_file")
		}
		tls, err := credentials.NewServerTLSFromFile(*certificate, *key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(tls))
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		return err
	}
	server := grpc.NewServer(options...)
	pb.RegisterTestServiceServer(server, &testServer{})

	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	go func() {
		<-terminate
		server.Stop()
	}()
	fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}
