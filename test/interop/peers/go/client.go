package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

const patience = 20 * time.Second // for any call

// peer is the server, and a context with which calls to it end in time.
type peer struct {
	*grpc.ClientConn
	ctx context.Context
}

type dialer struct {
	address string
	options []grpc.DialOption
}

// once runs a test case on a connection of its own.
func (d dialer) once(run func(peer) error) error {
	connection, err := grpc.Dial(d.address, d.options...)
	if err != nil {
		return err
	}
	defer connection.Close()
	return within(connection, run)
}

func within(connection *grpc.ClientConn, run func(peer) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return run(peer{connection, watch(ctx)})
}

func (d dialer) rpcSoak(iterations int) error {
	connection, err := grpc.Dial(d.address, d.options...)
	if err != nil {
		return err
	}
	defer connection.Close()
	for i := 0; i < iterations; i++ {
		if err := within(connection, largeUnary); err != nil {
			return fmt.Errorf("iteration %d: %w", i, err)
		}
	}
	return nil
}

func (d dialer) channelSoak(iterations int) error {
	for i := 0; i < iterations; i++ {
		if err := d.once(largeUnary); err != nil {
			return fmt.Errorf("iteration %d: %w", i, err)
		}
	}
	return nil
}

func find(name string) func(peer) error {
	for _, each := range cases {
		if each.name == name {
			return each.run
		}
	}
	return nil
}

func runClient(arguments []string) error {
	var names []string
	for _, each := range cases {
		names = append(names, each.name)
	}
	known := strings.Join(append(names, "rpc_soak", "channel_soak"), ", ")

	flags := flag.NewFlagSet("client", flag.ExitOnError)
	host := flags.String("server_host", "127.0.0.1", "")
	port := flags.Uint("server_port", 0, "required")
	override := flags.String("server_host_override", "", "the name to look for in the certificate")
	name := flags.String("test_case", "", "one of "+known)
	useTLS := flags.Bool("use_tls", false, "true or false")
	authority := flags.String("tls_ca_file", "", "whom to trust, PEM")
	iterations := flags.Int("soak_iterations", 100, "")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	if *port == 0 {
		return usagef("--server_port is missing")
	}
	if *iterations < 1 {
		return usagef("--soak_iterations is less than 1")
	}
	transport := grpc.WithInsecure()
	if *useTLS {
		if *authority == "" {
			return usagef("--use_tls=true needs --tls_ca_file")
		}
		tls, err := credentials.NewClientTLSFromFile(*authority, *override)
		if err != nil {
			return err
		}
		transport = grpc.WithTransportCredentials(tls)
	}
	d := dialer{fmt.Sprintf("%s:%d", *host, *port), []grpc.DialOption{transport, grpc.WithStatsHandler(arrivals{})}}

	var err error
	switch run := find(*name); {
	case run != nil:
		err = d.once(run)
	case *name == "rpc_soak":
		err = d.rpcSoak(*iterations)
	case *name == "channel_soak":
		err = d.channelSoak(*iterations)
	default:
		return usagef("no test case %q; there are: %s", *name, known)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", *name, err)
	}
	return nil
}
