// Interop server and client on grpc-go: peer server|client [flags].
package main

import (
	"flag"
	"fmt"
	"os"

	pb "grpc/testing"
)

// usageError is a mistake in the flags.
type usageError struct{ error }

func usagef(format string, arguments ...interface{}) error {
	return usageError{fmt.Errorf(format, arguments...)}
}

func zeros(size int) *pb.Payload {
	return &pb.Payload{Type: pb.PayloadType_COMPRESSABLE, Body: make([]byte, size)}
}

func main() {
	programs := map[string]func([]string) error{"server": runServer, "client": runClient}
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: peer server|client [flags]; peer server|client --help lists the flags")
		os.Exit(2)
	}
	switch err := programs[os.Args[1]](os.Args[2:]); err.(type) {
	case nil:
	case usageError:
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// parse ends the process on --help and on flags that do not exist, having listed those that do.
func parse(flags *flag.FlagSet, arguments []string) error {
	_ = flags.Parse(arguments)
	if flags.NArg() > 0 {
		return usagef("%q is no flag; --help lists them", flags.Arg(0))
	}
	return nil
}
