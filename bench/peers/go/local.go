package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

// The notes' scheduler: one routine takes commands from a channel, and answers each on the channel that came with it.

type command struct {
	argument int
	reply    chan int
}

func scheduler(commands chan command) {
	for c := range commands {
		c.reply <- c.argument + 1
	}
}

const between = 1000 // calls between two looks at the clock

func local(concurrency int, length time.Duration) {
	commands := make(chan command, 1024)
	go scheduler(commands)
	began := time.Now()
	counts := make([]int, concurrency)
	var all sync.WaitGroup
	for i := range counts {
		all.Add(1)
		go func(count *int) {
			defer all.Done()
			reply := make(chan int, 1) // one for each caller, used again: kinder than one a call
			for time.Since(began) < length {
				for i := 0; i < between; i++ {
					commands <- command{i, reply}
					if <-reply != i+1 {
						fail("a wrong reply")
					}
				}
				*count += between
			}
		}(&counts[i])
	}
	all.Wait()
	seconds, calls := time.Since(began).Seconds(), 0
	for _, n := range counts {
		calls += n
	}
	close(commands)
	fmt.Printf("calls_per_s %g\nns %g\nend\n", float64(calls)/seconds, seconds*1e9/float64(calls))
}

// memory of goroutines that wait for a reply which does not come, two calls deep, as a player does that has asked its room.
func memory(players int) {
	reply := make([]chan int, players)
	name := make([]string, players)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range reply {
		reply[i], name[i] = make(chan int), fmt.Sprintf("player %d", i)
		go func(i int) { ask(reply[i], name[i]) }(i)
	}
	for runtime.NumGoroutine() < players {
		runtime.Gosched()
	}
	time.Sleep(100 * time.Millisecond)
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := float64(after.HeapInuse+after.StackInuse) - float64(before.HeapInuse+before.StackInuse)
	fmt.Printf("bytes %g\nend\n", used/float64(players))
	runtime.KeepAlive(name)
}

//go:noinline
func ask(reply chan int, name string) int {
	n := await(reply)
	return n + len(name)
}

//go:noinline
func await(reply chan int) int { return <-reply }
