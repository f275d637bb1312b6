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
	"sync"

	"google.golang.org/grpc"

	pb "bench"
)

// The gate of the suite `player`, in the ways that Go has: each player's goroutine calls (queue), starts a goroutine for each
// message (each), or hands messages to one goroutine for cards and one for chat (lanes).

type playerGate struct {
	conn  net.Conn
	to    pb.TableClient
	mutex sync.Mutex // replies are written one at a time
}

// Where bench/rpc/frame_source.hpp has them.
func isChat(message []byte) bool { return binary.LittleEndian.Uint32(message[12:]) == 1 }

func (p *playerGate) answer(message []byte) {
	move := &pb.Move{Player: binary.LittleEndian.Uint32(message[8:]), Serial: binary.LittleEndian.Uint64(message[16:]), Payload: message}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var moved *pb.Moved
	var err error
	if isChat(message) {
		moved, err = p.to.Say(ctx, move)
	} else {
		moved, err = p.to.Play(ctx, move)
	}
	if err != nil {
		return // the source of frames misses what is missing
	}
	out := make([]byte, 4+len(moved.Payload))
	binary.BigEndian.PutUint32(out, uint32(len(moved.Payload)))
	copy(out[4:], moved.Payload)
	p.mutex.Lock()
	p.conn.Write(out)
	p.mutex.Unlock()
}

func (p *playerGate) play(way string) {
	defer p.conn.Close()
	handle := p.answer
	switch way {
	case "each":
		handle = func(message []byte) { go p.answer(message) }
	case "lanes":
		lane := func() chan []byte {
			messages := make(chan []byte, 1024)
			go func() {
				for message := range messages {
					p.answer(message)
				}
			}()
			return messages
		}
		cards, chat := lane(), lane()
		defer close(cards)
		defer close(chat)
		handle = func(message []byte) {
			if isChat(message) {
				chat <- message
			} else {
				cards <- message
			}
		}
	}
	in, header := bufio.NewReader(p.conn), make([]byte, 4)
	for {
		if _, err := io.ReadFull(in, header); err != nil {
			return
		}
		message := make([]byte, binary.BigEndian.Uint32(header))
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		handle(message)
	}
}

func playersGate(way, target string) {
	if way != "queue" && way != "each" && way != "lanes" {
		fail("no way %q; there are queue, each and lanes", way)
	}
	connection, err := grpc.Dial(target, grpc.WithInsecure(), grpc.WithBlock())
	if err != nil {
		fail("%v", err)
	}
	to := pb.NewTableClient(connection)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go (&playerGate{conn: conn, to: to}).play(way)
		}
	}()
	ioutil.ReadAll(os.Stdin)
}
