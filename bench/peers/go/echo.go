package main

import (
	"context"
	"fmt"
	"io"
	"io/ioutil"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"

	pb "bench"
)

type echoServer struct{}

func (echoServer) Say(_ context.Context, request *pb.EchoRequest) (*pb.EchoReply, error) {
	return &pb.EchoReply{Payload: request.Payload}, nil
}

func (echoServer) Each(stream pb.Echo_EachServer) error {
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.Send(&pb.EchoReply{Payload: request.Payload}); err != nil {
			return err
		}
	}
}

func (echoServer) Many(stream pb.Echo_ManyServer) error {
	for {
		batch, err := stream.Recv()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.Send(batch); err != nil {
			return err
		}
	}
}

// serve says its port and answers until its standard input ends.
func serve(streamWorkers uint) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(math.MaxInt32)} // a batch of many large calls is more than its 4 MiB
	if streamWorkers > 0 {
		options = append(options, grpc.NumStreamWorkers(uint32(streamWorkers)))
	}
	server := grpc.NewServer(options...)
	pb.RegisterEchoServer(server, echoServer{})
	go func() {
		ioutil.ReadAll(os.Stdin)
		server.Stop()
	}()
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		fail("%v", err)
	}
}

const deadline = 5 * time.Second

func wrong(got, wanted int) error {
	return fmt.Errorf("a reply of %d bytes instead of %d", got, wanted)
}

// callUnary: a goroutine for each call that is out.
func callUnary(echo pb.EchoClient, payload []byte, loop *closedLoop) {
	began := time.Now()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		reply, err := echo.Say(ctx, &pb.EchoRequest{Payload: payload})
		cancel()
		if err == nil && len(reply.Payload) != len(payload) {
			err = wrong(len(reply.Payload), len(payload))
		}
		if err != nil {
			loop.failed(err)
			return
		}
		if !loop.succeeded(&began) {
			return
		}
	}
}

// callEach: a stream for each goroutine.
func callEach(echo pb.EchoClient, payload []byte, loop *closedLoop) {
	stream, err := echo.Each(context.Background())
	if err != nil {
		loop.failed(err)
		return
	}
	for began := time.Now(); ; {
		if err = stream.Send(&pb.EchoRequest{Payload: payload}); err != nil {
			break
		}
		var reply *pb.EchoReply
		if reply, err = stream.Recv(); err != nil {
			break
		}
		if len(reply.Payload) != len(payload) {
			err = wrong(len(reply.Payload), len(payload))
			break
		}
		if !loop.succeeded(&began) {
			stream.CloseSend()
			_, err = stream.Recv()
			if err == io.EOF {
				return
			}
			break
		}
	}
	loop.failed(fmt.Errorf("a stream ended: %v", err))
}

type queued struct {
	number  uint32
	payload []byte
}

// callMany: goroutines hand their calls to a writer that sends all that wait in one message, and a reader wakes them.
func callMany(echo pb.EchoClient, payload []byte, concurrency int, loop *closedLoop) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := echo.Many(ctx)
	if err != nil {
		loop.failed(err)
		return
	}
	calls := make(chan queued, concurrency)
	replies := make([]chan []byte, concurrency)
	for i := range replies {
		replies[i] = make(chan []byte, 1)
	}
	go func() {
		for call := range calls {
			batch := &pb.Batch{Number: []uint32{call.number}, Payload: [][]byte{call.payload}}
			for waiting := true; waiting && len(batch.Number) < concurrency; {
				select {
				case more, open := <-calls:
					if !open {
						waiting = false
						break
					}
					batch.Number = append(batch.Number, more.number)
					batch.Payload = append(batch.Payload, more.payload)
				default:
					waiting = false
				}
			}
			if stream.Send(batch) != nil {
				return // which the reader sees as well
			}
		}
		stream.CloseSend()
	}()
	go func() {
		for {
			batch, err := stream.Recv()
			if err != nil {
				if err != io.EOF {
					loop.failed(err)
				}
				for _, r := range replies {
					close(r)
				}
				return
			}
			for i, number := range batch.Number {
				replies[number] <- batch.Payload[i]
			}
		}
	}()
	var all sync.WaitGroup
	for i := 0; i < concurrency; i++ {
		all.Add(1)
		go func(number uint32) {
			defer all.Done()
			for began := time.Now(); ; {
				calls <- queued{number, payload}
				reply := <-replies[number]
				if len(reply) != len(payload) {
					loop.failed(wrong(len(reply), len(payload)))
					return
				}
				if !loop.succeeded(&began) {
					return
				}
			}
		}(uint32(i))
	}
	all.Wait()
	close(calls)
}

func call(way, target string, concurrency, payloadBytes int, loop *closedLoop, options []grpc.DialOption) {
	options = append(options, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	connection, err := grpc.Dial(target, append(options, grpc.WithInsecure(), grpc.WithBlock())...)
	if err != nil {
		fail("%v", err)
	}
	echo := pb.NewEchoClient(connection)
	payload := make([]byte, payloadBytes)
	loop.began = time.Now()
	if way == "many" {
		callMany(echo, payload, concurrency, loop)
	} else {
		one := map[string]func(pb.EchoClient, []byte, *closedLoop){"unary": callUnary, "each": callEach}[way]
		if one == nil {
			fail("no way %q; there are unary, each and many", way)
		}
		var all sync.WaitGroup
		for i := 0; i < concurrency; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				one(echo, payload, loop)
			}()
		}
		all.Wait()
	}
	loop.print()
}
