package main

import (
	"context"
	"fmt"
	"io/ioutil"
	"math/rand"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "bench"
)

// tableServer is bench/rpc/table.hpp: handlers take their time, and it counts what became of the calls.
type tableServer struct {
	play, say  time.Duration
	atRandom   bool // play is the most
	executions []byte

	mutex  sync.Mutex // the fields below
	random *rand.Rand
	now    uint64
	next   map[uint32]uint64 // by player
	counts pb.Counts
}

func (t *tableServer) Play(ctx context.Context, move *pb.Move) (*pb.Moved, error) {
	moved, err := t.take(ctx, move, t.play, t.atRandom)
	if err != nil {
		return nil, err
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if move.Serial < t.next[move.Player] {
		t.counts.Overtaken++
	} else {
		t.next[move.Player] = move.Serial + 1
	}
	return moved, nil
}

func (t *tableServer) Say(ctx context.Context, move *pb.Move) (*pb.Moved, error) {
	return t.take(ctx, move, t.say, false)
}

func (t *tableServer) Count(context.Context, *pb.CountRequest) (*pb.Counts, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return &pb.Counts{Overtaken: t.counts.Overtaken, Most: t.counts.Most}, nil
}

func (t *tableServer) take(ctx context.Context, move *pb.Move, takes time.Duration, atRandom bool) (*pb.Moved, error) {
	t.mutex.Lock()
	t.now++
	if t.now > t.counts.Most {
		t.counts.Most = t.now
	}
	if t.executions != nil {
		t.executions[move.Serial]++
	}
	if atRandom && takes > 0 {
		takes = time.Duration(t.random.Int63n(int64(takes)))
	}
	t.mutex.Unlock()
	defer func() {
		t.mutex.Lock()
		t.now--
		t.mutex.Unlock()
	}()
	if takes > 0 {
		timer := time.NewTimer(takes)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	return &pb.Moved{Payload: move.Payload}, nil
}

// mapExecutions maps the file that bench/rpc/executions.hpp has made.
func mapExecutions(name string) []byte {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		fail("%v", err)
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		fail("%v", err)
	}
	counts, err := syscall.Mmap(int(file.Fd()), 0, int(about.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		fail("%v", err)
	}
	return counts
}

// table says its port and serves until its standard input ends; then calls in progress may end.
func table(port int, t *tableServer) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		fail("%v", err)
	}
	t.random, t.next = rand.New(rand.NewSource(7)), map[uint32]uint64{}
	server := grpc.NewServer()
	pb.RegisterTableServer(server, t)
	go func() {
		ioutil.ReadAll(os.Stdin)
		time.AfterFunc(time.Second, server.Stop)
		server.GracefulStop()
	}()
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		fail("%v", err)
	}
}

// retrying: retries as the service config has them, and none without one; connections are tried again as often as weft does.
// Before grpc-go 1.40 a policy needs GRPC_GO_RETRY=on too.
func retrying(serviceConfig string) []grpc.DialOption {
	again := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second}
	options := []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{Backoff: again, MinConnectTimeout: time.Second})}
	if serviceConfig == "" {
		return append(options, grpc.WithDisableRetry())
	}
	// Without WaitForReady nothing is tried again that finds no connection.
	return append(options, grpc.WithDefaultServiceConfig(serviceConfig), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
}

// outage calls at a fixed rate, and says of each call whether it failed, and its latency from when it was due.
func outage(target string, calls, perSecond int, options []grpc.DialOption) {
	connection, err := grpc.Dial(target, append(options, grpc.WithInsecure(), grpc.WithBlock())...)
	if err != nil {
		fail("%v", err)
	}
	to := pb.NewTableClient(connection)
	failed, latency := make([]int, calls), make([]time.Duration, calls)
	fmt.Println("connected")
	var all sync.WaitGroup
	began := time.Now()
	for i := 0; i < calls; i++ {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		time.Sleep(time.Until(due))
		all.Add(1)
		go func(i int) {
			defer all.Done()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			if _, err := to.Play(ctx, &pb.Move{Serial: uint64(i)}); err != nil {
				failed[i] = 1
				if code := status.Code(err); code != codes.Unavailable && code != codes.DeadlineExceeded {
					fail("%v", err)
				}
			}
			latency[i] = time.Since(due)
		}(i)
	}
	all.Wait()
	for i := range failed {
		fmt.Println(failed[i], latency[i].Nanoseconds())
	}
}

// pool is a routine pool: n goroutines make the calls that callers put into a channel, each with a channel for the answer.
func pool(target string, n, callers int, loop *closedLoop) {
	connection, err := grpc.Dial(target, grpc.WithInsecure(), grpc.WithBlock())
	if err != nil {
		fail("%v", err)
	}
	to := pb.NewTableClient(connection)
	jobs := make(chan chan error)
	var mutex sync.Mutex
	now, most := 0, 0
	for i := 0; i < n; i++ {
		go func() {
			for done := range jobs {
				mutex.Lock()
				if now++; now > most {
					most = now
				}
				mutex.Unlock()
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				_, err := to.Play(ctx, &pb.Move{})
				cancel()
				mutex.Lock()
				now--
				mutex.Unlock()
				done <- err
			}
		}()
	}
	loop.began = time.Now()
	var all sync.WaitGroup
	for i := 0; i < callers; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			done := make(chan error, 1)
			for began := time.Now(); ; {
				jobs <- done
				if err := <-done; err != nil {
					loop.failed(err)
					return
				}
				if !loop.succeeded(&began) {
					return
				}
			}
		}()
	}
	all.Wait()
	if loop.failure != nil {
		fail("%v", loop.failure)
	}
	l := &loop.latencies
	fmt.Printf("calls_per_s %g\np50_us %g\np99_us %g\nmax_us %g\nmost_in_flight %d\nend\n",
		float64(l.total)/loop.last.at.Sub(loop.first.at).Seconds(), l.percentile(50), l.percentile(99), l.percentile(100), most)
}
