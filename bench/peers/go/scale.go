package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// bench/scale.cpp in Go: a goroutine for each player takes messages from its channel and asks a service, which is a goroutine
// that takes commands from a channel; 64 messages are out at a time.

const ahead = 64

type walk struct{ state uint64 }

func (w *walk) next(below int) int {
	w.state = w.state*6364136223846793005 + 1442695040888963407
	return int((w.state >> 33) % uint64(below))
}

type playerMessage struct {
	service int
	sent    time.Time
}

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

// scale with one service, or with 64 players.
func scale(players, services int, length time.Duration) {
	bytesOfService := players == 0
	if bytesOfService {
		players = 64
	} else {
		services = 1
	}
	before := heap()
	commands := make([]chan command, services)
	for i := range commands {
		commands[i] = make(chan command, 16)
		go scheduler(commands[i])
	}
	runtime.Gosched()
	serviceBytes := (heap() - before) / float64(services)

	var calls, counting int64
	var latencies histogram
	room := make(chan struct{}, ahead)
	inbox := make([]chan playerMessage, players)
	held := 8
	if players < ahead {
		held = ahead
	}
	before = heap()
	for i := range inbox {
		inbox[i] = make(chan playerMessage, held)
		go func(number int, in chan playerMessage) {
			reply := make(chan int, 1)
			for m := range in {
				commands[m.service] <- command{number, reply}
				if <-reply != number+1 {
					fail("a wrong reply")
				}
				if atomic.LoadInt64(&counting) != 0 {
					latencies.add(time.Since(m.sent))
					atomic.AddInt64(&calls, 1)
				}
				<-room
			}
		}(i, inbox[i])
	}
	time.Sleep(50 * time.Millisecond)
	playerBytes := (heap() - before) / float64(players)

	toPlayer, toService := walk{7}, walk{7}
	countFrom := time.Now().Add(100 * time.Millisecond)
	until := countFrom.Add(length)
	began, cpu := time.Now(), cpuTime(0)
	for now := began; now.Before(until); now = time.Now() {
		if counting == 0 && now.After(countFrom) {
			began, cpu = now, cpuTime(0)
			atomic.StoreInt64(&counting, 1)
		}
		room <- struct{}{}
		inbox[toPlayer.next(players)] <- playerMessage{toService.next(services), time.Now()}
	}
	taken, used, n := time.Since(began), cpuTime(0)-cpu, float64(atomic.LoadInt64(&calls))
	bytes, weighed := playerBytes, players
	if bytesOfService {
		bytes, weighed = serviceBytes, services
	}
	if weighed >= 1000 { // fewer are lost in what the heap does
		fmt.Printf("bytes %g\n", bytes)
	}
	fmt.Printf("ns %g\ncpu_ns %g\np50_us %g\np99_us %g\nmax_us %g\nend\n", float64(taken)/n, float64(used)/n,
		latencies.percentile(50), latencies.percentile(99), latencies.percentile(100))
}
