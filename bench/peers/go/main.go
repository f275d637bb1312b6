// The peers of the benchmarks that are written in Go; weft-bench starts them.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"google.golang.org/grpc"
)

const usage = `usage: go-peer serve [--stream-workers N]
       go-peer call unary|each|many --target ADDRESS --concurrency N --payload B --seconds S --warm-up S --server-pid P
       go-peer local [--threads N] [--concurrency N] --seconds S
       go-peer memory --players N
       go-peer gate
       go-peer workers --stream-workers N --concurrency N --seconds S
       go-peer scale --players N|--services N [--threads N] --seconds S
       go-peer table [--port P] [--play-us N] [--at-random] [--say-us N] [--executions FILE]
       go-peer outage --target ADDRESS --calls N --per-second N [--service-config JSON]
       go-peer pool --target ADDRESS --workers N --concurrency N --seconds S --warm-up S
       go-peer players --way queue|each|lanes --target ADDRESS
       go-peer fanout --receivers N --stopped N --encode once|each --events N --warm-up-events N --per-second N --payload B --outbox N

outage, and call with --service-config, have retries off unless the service config says otherwise.
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
	calls := flags.Int("calls", 0, "")
	services := flags.Int("services", 0, "")
	port := flags.Int("port", 0, "0: a free one")
	playUs := flags.Int("play-us", 0, "microseconds that a handler of Play takes")
	sayUs := flags.Int("say-us", 0, "the same of Say")
	atRandom := flags.Bool("at-random", false, "up to play-us")
	executionsFile := flags.String("executions", "", "where calls are counted by serial")
	perSecond := flags.Int("per-second", 0, "")
	serviceConfig := flags.String("service-config", "", "")
	handling := flags.String("way", "queue", "")
	workerCount := flags.Int("workers", 0, "goroutines of a pool")
	var plan fanoutPlan
	flags.IntVar(&plan.receivers, "receivers", 0, "")
	flags.IntVar(&plan.stopped, "stopped", 0, "of the receivers")
	flags.IntVar(&plan.events, "events", 0, "measured")
	flags.IntVar(&plan.warmUp, "warm-up-events", 0, "before them")
	flags.IntVar(&plan.outbox, "outbox", 256, "events that may wait for a receiver")
	encode := flags.String("encode", "once", "or each")
	if err := flags.Parse(arguments); err != nil || flags.NArg() > 0 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if *threads > 0 {
		runtime.GOMAXPROCS(*threads)
	}
	length := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	loop := &closedLoop{warm: length(*warmUp), measured: length(*seconds), serverPid: *serverPid}
	switch verb {
	case "serve":
		serve(*streamWorkers)
	case "call":
		var options []grpc.DialOption
		flags.Visit(func(f *flag.Flag) {
			if f.Name == "service-config" {
				options = retrying(*serviceConfig)
			}
		})
		call(way, *target, *concurrency, *payload, loop, options)
	case "local":
		local(*concurrency, length(*seconds))
	case "gate":
		gate()
	case "workers":
		workers(*streamWorkers, *concurrency, length(*seconds))
	case "scale":
		if *services > 0 {
			scale(0, *services, length(*seconds))
		} else {
			scale(*players, 1, length(*seconds))
		}
	case "table":
		t := &tableServer{play: time.Duration(*playUs) * time.Microsecond, say: time.Duration(*sayUs) * time.Microsecond, atRandom: *atRandom}
		if *executionsFile != "" {
			t.executions = mapExecutions(*executionsFile)
		}
		table(*port, t)
	case "outage":
		outage(*target, *calls, *perSecond, retrying(*serviceConfig))
	case "pool":
		pool(*target, *workerCount, *concurrency, loop)
	case "players":
		playersGate(*handling, *target)
	case "fanout":
		plan.perSecond, plan.payload, plan.once = *perSecond, *payload, *encode == "once"
		fanout(plan)
	case "memory":
		memory(*players)
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
}
