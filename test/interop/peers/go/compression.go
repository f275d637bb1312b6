package main

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

const messageHeader = 5 // bytes before each message on the wire

// arrivals is a stats.Handler that keeps, in the context of each call, whether the last message that came was compressed:
// nothing else in the library tells. Payloads of these tests shrink when they are compressed.
type arrivals struct{}

type lastArrival struct{ compressed int32 }

type lastArrivalKey struct{}

// watch makes a context whose call can be asked by arrivedCompressed. Calls that arrive have it made for them.
func watch(ctx context.Context) context.Context {
	return context.WithValue(ctx, lastArrivalKey{}, new(lastArrival))
}

func arrivedCompressed(ctx context.Context) bool {
	return atomic.LoadInt32(&ctx.Value(lastArrivalKey{}).(*lastArrival).compressed) != 0
}

func (arrivals) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	if ctx.Value(lastArrivalKey{}) != nil {
		return ctx
	}
	return watch(ctx)
}

func (arrivals) HandleRPC(ctx context.Context, event stats.RPCStats) {
	payload, ok := event.(*stats.InPayload)
	if !ok {
		return
	}
	var compressed int32
	if payload.WireLength != payload.Length+messageHeader {
		compressed = 1
	}
	atomic.StoreInt32(&ctx.Value(lastArrivalKey{}).(*lastArrival).compressed, compressed)
}

func (arrivals) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (arrivals) HandleConn(context.Context, stats.ConnStats)                       {}
