package main

import (
	"encoding/binary"
	"fmt"
	"io/ioutil"
	"net"
	"os"
	"strings"
	"time"

	"github.com/golang/protobuf/proto"

	pb "bench"
)

type fanoutPlan struct {
	receivers, stopped, events, warmUp, perSecond, payload, outbox int
	once                                                           bool // an event is encoded once, for all
}

// frame is an event with its length in front, as it goes over the wire. It says when it was due by the clock that the other
// process has too.
func (p *fanoutPlan) frame(event *pb.Move) []byte {
	body, err := proto.Marshal(event)
	if err != nil {
		fail("%v", err)
	}
	out := make([]byte, 4+len(body))
	binary.BigEndian.PutUint32(out, uint32(len(body)))
	copy(out[4:], body)
	return out
}

// fanout is a room in Go: a goroutine for each receiver writes what is in its channel, which is bounded; the room's goroutine
// puts events into all of them and never waits.
func fanout(p fanoutPlan) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	outboxes := make([]chan []byte, p.receivers)
	for i := range outboxes {
		conn, err := listener.Accept()
		if err != nil {
			fail("%v", err)
		}
		outboxes[i] = make(chan []byte, p.outbox)
		go func(out chan []byte) {
			for event := range out {
				if _, err := conn.Write(event); err != nil {
					return
				}
			}
		}(outboxes[i])
	}
	missed := 0
	give := func(to chan []byte, event []byte) {
		select {
		case to <- event:
		default:
			missed++
		}
	}
	payload := strings.Repeat("x", p.payload)
	eventOf := func(number int, due int64) *pb.Move {
		return &pb.Move{Player: uint32(number), Serial: uint64(due), Payload: []byte(payload)}
	}
	// Nobody can tell that a receiver has stopped before the kernel's buffers are full.
	for filler := p.frame(eventOf(-1, 0)); p.stopped > 0 && missed == 0; time.Sleep(time.Millisecond) {
		for i := 0; i < 64; i++ {
			give(outboxes[0], filler)
		}
	}
	var busy, cpu time.Duration
	began, monotonic := time.Now().Add(10*time.Millisecond), monotonicNow()+int64(10*time.Millisecond)
	for i := 0; i < p.warmUp+p.events; i++ {
		after := time.Duration(i) * time.Second / time.Duration(p.perSecond)
		time.Sleep(time.Until(began.Add(after)))
		if i == p.warmUp {
			busy, cpu = 0, cpuTime(0)
		}
		started := time.Now()
		event := eventOf(i, monotonic+int64(after))
		if p.once {
			frame := p.frame(event)
			for _, to := range outboxes {
				give(to, frame)
			}
		} else {
			for _, to := range outboxes {
				give(to, p.frame(event))
			}
		}
		busy += time.Since(started)
	}
	time.Sleep(20 * time.Millisecond) // the last of them goes out
	cpu = cpuTime(0) - cpu
	events := float64(p.events)
	fmt.Printf("%g %g %d\n", float64(cpu)/events/float64(p.receivers), float64(busy)/1e3/events, missed)
	ioutil.ReadAll(os.Stdin)
}
