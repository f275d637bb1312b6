// The peers of the benchmarks that are written in Go; weft-bench starts them.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

const usage = `usage: go-peer serve [--stream-workers N]
       go-peer call unary|each|many --target ADDRESS --concurrency N --payload B --seconds S --warm-up S --server-pid P
       go-peer local [--threads N] [--concurrency N] --seconds S
       go-peer memory --players N
       go-peer gate
       go-peer workers --stream-workers N --concurrency N --seconds S
`

func main() {
	if len(os.Args) < 2 || strings.Contains(os.Args[1], "help") {
		if len(os.Args) < 2 {
			fmt.Fprint(os.Stderr, usage)
			os.Exit(2)
		}
		fmt.Print(usage)
		return
	}
	verb, arguments, way := os.Args[1], os.Args[2:], ""
	if verb == "call" && len(arguments) > 0 {
		way, arguments = arguments[0], arguments[1:]
	}
	flags := flag.NewFlagSet("go-peer "+verb, flag.ExitOnError)
	streamWorkers := flags.Uint("stream-workers", 0, "grpc.NumStreamWorkers; 0: a goroutine for each call")
	target := flags.String("target", "", "")
	concurrency := flags.Int("concurrency", 1, "calls that are out")
	payload := flags.Int("payload", 32, "bytes")
	seconds := flags.Float64("seconds", 1, "measured")
	warmUp := flags.Float64("warm-up", 0.25, "seconds before")
	serverPid := flags.Int("server-pid", 0, "whose CPU time counts as the server's")
	threads := flags.Int("threads", 0, "GOMAXPROCS; 0: as many as there are cores")
	players := flags.Int("players", 100000, "")
	flags.Int("calls", 0, "not used")
	if err := flags.Parse(arguments); err != nil || flags.NArg() > 0 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if *threads > 0 {
		runtime.GOMAXPROCS(*threads)
	}
	length := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	switch verb {
	case "serve":
		serve(*streamWorkers)
	case "call":
		call(way, *target, *concurrency, *payload, &closedLoop{warm: length(*warmUp), measured: length(*seconds), serverPid: *serverPid})
	case "local":
		local(*concurrency, length(*seconds))
	case "gate":
		gate()
	case "workers":
		workers(*streamWorkers, *concurrency, length(*seconds))
	case "memory":
		memory(*players)
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
}
