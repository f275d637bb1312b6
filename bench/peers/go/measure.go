package main

import (
	"fmt"
	"io/ioutil"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// What bench/rpc/measure.hpp does, for a loop of goroutines: latencies by step, and the time between warm and over.

const stepBits = 6

type histogram struct {
	counts [35 << stepBits]uint64
	total  uint64
}

func (h *histogram) add(latency time.Duration) {
	value := uint64(latency)
	octave := bits.Len64(value) - 1 - stepBits
	if octave < 0 {
		octave = 0
	}
	step := octave<<stepBits + int(value>>uint(octave))
	if step >= len(h.counts) {
		step = len(h.counts) - 1
	}
	atomic.AddUint64(&h.counts[step], 1)
	atomic.AddUint64(&h.total, 1)
}

// percentile in microseconds.
func (h *histogram) percentile(percent float64) float64 {
	wanted, seen := float64(h.total)*percent/100, uint64(0)
	for i, n := range h.counts {
		seen += n
		if seen == 0 || float64(seen) < wanted {
			continue
		}
		octave := 0
		if i>>stepBits > 1 {
			octave = i>>stepBits - 1
		}
		return float64((i-octave<<stepBits)<<uint(octave)+1<<uint(octave)>>1) / 1e3
	}
	return 0
}

// cpuTime of all threads of a process, 0 being this one.
func cpuTime(pid int) time.Duration {
	clock := uintptr(2) // CLOCK_PROCESS_CPUTIME_ID
	if pid != 0 {
		clock = uintptr(uint32(^int32(pid))<<3 | 2)
	}
	var used syscall.Timespec
	if _, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&used)), 0); e != 0 {
		fail("CPU time of a process: %v", e)
	}
	return time.Duration(used.Nano())
}

// loopbackBytes is what has crossed the loopback since the machine started.
func loopbackBytes() uint64 {
	devices, err := ioutil.ReadFile("/proc/net/dev")
	if err != nil {
		fail("loopback: %v", err)
	}
	fields := strings.Fields(string(devices))
	for i := range fields[:len(fields)-1] {
		if fields[i] == "lo:" {
			bytes, _ := strconv.ParseUint(fields[i+1], 10, 64)
			return bytes
		}
	}
	return 0
}

// monotonicNow is the clock that C++ calls steady, in nanoseconds.
func monotonicNow() int64 {
	var now syscall.Timespec
	if _, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&now)), 0); e != 0 {
		fail("the monotonic clock: %v", e)
	}
	return now.Nano()
}

type sample struct {
	at             time.Time
	client, server time.Duration
	wire           uint64
}

type closedLoop struct {
	warm, measured time.Duration
	serverPid      int
	began          time.Time
	phase          int32 // 0 warming up, 1 measuring, 2 over
	latencies      histogram
	first, last    sample
	mutex          sync.Mutex
	failure        error
}

func (l *closedLoop) sample(now time.Time) sample {
	return sample{now, cpuTime(0), cpuTime(l.serverPid), loopbackBytes()}
}

// succeeded records a call and moves its beginning to now; false when the run is over.
func (l *closedLoop) succeeded(began *time.Time) bool {
	now := time.Now()
	latency := now.Sub(*began)
	*began = now
	switch atomic.LoadInt32(&l.phase) {
	case 0:
		if now.Sub(l.began) >= l.warm {
			l.mutex.Lock()
			if l.phase == 0 {
				l.first = l.sample(now)
				atomic.StoreInt32(&l.phase, 1)
			}
			l.mutex.Unlock()
		}
	case 1:
		l.latencies.add(latency)
		if now.Sub(l.first.at) >= l.measured {
			l.mutex.Lock()
			if l.phase == 1 {
				l.last = l.sample(now)
				atomic.StoreInt32(&l.phase, 2)
			}
			l.mutex.Unlock()
			return false
		}
	case 2:
		return false
	}
	return true
}

func (l *closedLoop) failed(why error) {
	l.mutex.Lock()
	if l.failure == nil {
		l.failure = why
	}
	atomic.StoreInt32(&l.phase, 2)
	l.mutex.Unlock()
}

// print is bench::to_line.
func (l *closedLoop) print() {
	if l.failure != nil {
		fmt.Printf("0 0 0 0 0 0 1 0 0 0 %v\n", l.failure)
		return
	}
	calls := float64(l.latencies.total)
	us := func(a, b time.Duration) float64 { return float64(b-a) / 1e3 / calls }
	wire := float64(l.last.wire-l.first.wire) / calls
	fmt.Printf("%d %g %g %g %g %g 0 %g 0 0 \n", l.latencies.total, l.last.at.Sub(l.first.at).Seconds(), l.latencies.percentile(50),
		l.latencies.percentile(99), us(l.first.client, l.last.client), us(l.first.server, l.last.server), wire)
}

func fail(format string, arguments ...interface{}) {
	fmt.Fprintf(os.Stderr, "go-peer: "+format+"\n", arguments...)
	os.Exit(1)
}
