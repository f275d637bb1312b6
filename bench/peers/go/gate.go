package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"io/ioutil"
	"net"
	"os"
	"os/exec"

	"google.golang.org/grpc"

	pb "bench"
)

// gate is the path in Go: a goroutine for each player reads a frame, calls the service, which is another process, and writes
// the reply frame.
func gate() {
	service := exec.Command("/proc/self/exe", "serve")
	service.Stderr = os.Stderr
	held, err := service.StdinPipe() // its end is the service's
	if err != nil {
		fail("%v", err)
	}
	said, err := service.StdoutPipe()
	if err != nil {
		fail("%v", err)
	}
	if err := service.Start(); err != nil {
		fail("%v", err)
	}
	var port int
	if _, err := fmt.Fscanf(said, "port %d\n", &port); err != nil {
		fail("the service said no port: %v", err)
	}
	connection, err := grpc.Dial(fmt.Sprintf("127.0.0.1:%d", port), grpc.WithInsecure(), grpc.WithBlock())
	if err != nil {
		fail("%v", err)
	}
	echo := pb.NewEchoClient(connection)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	go func() {
		for {
			player, err := listener.Accept()
			if err != nil {
				return
			}
			go play(player, echo)
		}
	}()
	ioutil.ReadAll(os.Stdin)
	held.Close()
	service.Wait()
}

func play(player net.Conn, echo pb.EchoClient) {
	defer player.Close()
	in := bufio.NewReader(player)
	header := make([]byte, 4)
	for {
		if _, err := io.ReadFull(in, header); err != nil {
			return
		}
		message := make([]byte, binary.BigEndian.Uint32(header))
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		reply, err := echo.Say(ctx, &pb.EchoRequest{Payload: message})
		cancel()
		if err != nil {
			return
		}
		out := make([]byte, 4+len(reply.Payload))
		binary.BigEndian.PutUint32(out, uint32(len(reply.Payload)))
		copy(out[4:], reply.Payload)
		if _, err := player.Write(out); err != nil {
			return
		}
	}
}
