package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	pb "bench"
)

// slowServer counts how many of its handlers are in progress at a time.
type slowServer struct {
	echoServer
	now, most int32
}

func (s *slowServer) Say(_ context.Context, request *pb.EchoRequest) (*pb.EchoReply, error) {
	now := atomic.AddInt32(&s.now, 1)
	for most := atomic.LoadInt32(&s.most); now > most && !atomic.CompareAndSwapInt32(&s.most, most, now); {
		most = atomic.LoadInt32(&s.most)
	}
	time.Sleep(5 * time.Millisecond)
	atomic.AddInt32(&s.now, -1)
	return &pb.EchoReply{Payload: request.Payload}, nil
}

// workers: is NumStreamWorkers(n) a cap, and does 1 serialise? 64 calls are out, to handlers of 5 ms.
func workers(n uint, concurrency int, length time.Duration) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	var options []grpc.ServerOption
	if n > 0 {
		options = append(options, grpc.NumStreamWorkers(uint32(n)))
	}
	server, slow := grpc.NewServer(options...), &slowServer{}
	pb.RegisterEchoServer(server, slow)
	go server.Serve(listener)
	connection, err := grpc.Dial(listener.Addr().String(), grpc.WithInsecure(), grpc.WithBlock())
	if err != nil {
		fail("%v", err)
	}
	echo := pb.NewEchoClient(connection)
	var calls int64
	var all sync.WaitGroup
	began := time.Now()
	for i := 0; i < concurrency; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for time.Since(began) < length {
				if _, err := echo.Say(context.Background(), &pb.EchoRequest{}); err != nil {
					fail("%v", err)
				}
				atomic.AddInt64(&calls, 1)
			}
		}()
	}
	all.Wait()
	taken := time.Since(began)
	server.Stop()
	fmt.Printf("handlers %d\ncalls_per_s %g\nend\n", slow.most, float64(calls)/taken.Seconds())
}
