"""Serves desk.v1.Desk over weft's sessions, on grpcio. Says "listening on PORT"; SIGTERM ends it. `--help` lists the flags."""

import argparse
import signal
import sys
import threading
from concurrent import futures

import grpc

import desk
import wire
from session import ABORTED, MOST_METHODS, PATH, Batch, Failed, Handler, Session, Violation
from wire import TYPES

PATIENCE = 10  # seconds
THREADS = 32  # a session keeps one, and one to be read
CODES = {code.value[0]: code for code in grpc.StatusCode}


# How `Break` breaks a rule: what the batch is that the client gets.
def _answer_nobody_asked_for(_):
    return Batch(replies=[{"id": 1_000_000}])


def _attach_twice(_):
    return Batch(attach={"oldest_version": 1, "newest_version": 1})


def _call_of_no_method(_):
    return Batch(calls=[{"id": 1_000_000, "method": MOST_METHODS}])


def _ids_that_fall(_):
    path = desk.SERVICE + "Take"
    return Batch(calls=[{"id": 2_000_001, "path": path}, {"id": 2_000_000}])


def _calls_beyond_the_window(_):
    calls = [{"id": 3_000_000 + i, "path": "/desk.v1.Desk/Hold" if i == 0 else ""} for i in range(5_000)]
    return Batch(calls=calls)


def _garbage(_):
    return b"\x0a\xff\xff\xff\xff\xff"


def _fields_that_nobody_knows(_):
    return Batch.FromString(b"\xa2\x06\x03abc" + b"\xa8\x06\x2a" + b"\xb5\x06abcd" + b"\xb9\x06abcdefgh")


WAYS = {
    "no_attach": _answer_nobody_asked_for,  # and the next session begins without attach
    "nothing": _fields_that_nobody_knows,
    "answer": _answer_nobody_asked_for,
    "attach": _attach_twice,
    "method": _call_of_no_method,
    "ids": _ids_that_fall,
    "window": _calls_beyond_the_window,
    "garbage": _garbage,
}


class Server:
    def __init__(self, window):
        self.window = window
        self.desk = desk.Desk()  # one for all sessions
        self.sessions = 0
        self.next_without_attach = False

    def attach(self, batches, context):
        self.sessions += 1
        raw = []  # goes out as it is
        if self.next_without_attach:
            self.next_without_attach = False
            raw.append(wire.serialize(Batch(pong=1)))
        handlers = dict(self.desk.handlers)
        session = Session(handlers, self.window, knows_peer=True)
        handlers[desk.SERVICE + "Leave"] = Handler(lambda call: session.leave(call.id) or b"")

        def ping(_):
            session.ping(7)
            if not session.wait_for_pong(7, PATIENCE):
                raise Failed(ABORTED, f"no pong within {PATIENCE} s")
            return b""

        handlers[desk.SERVICE + "Ping"] = Handler(ping, quick=False)

        def break_rule(call):
            how = TYPES["BreakRequest"].FromString(call.request).how
            way = WAYS[how](session)
            self.next_without_attach = how == "no_attach"
            if isinstance(way, bytes):
                raw.append(way)
                session.say(Batch(pong=1))
            else:
                session.say(way)
            return b""

        handlers[desk.SERVICE + "Break"] = Handler(break_rule)
        problem = []

        def read():
            try:
                for batch in batches:
                    session.take(batch)
                session.close()
            except Violation as violation:
                problem.append(violation)
                session.ended(str(violation))
            except grpc.RpcError:
                session.ended("the client has gone")

        threading.Thread(target=read, daemon=True).start()
        context.add_callback(lambda: session.ended("the stream is over"))
        for batch in session.outgoing():
            yield raw.pop() if raw else wire.serialize(batch)
        if problem:
            context.abort(CODES[problem[0].code], str(problem[0]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--window", type=int, default=64, help="calls that a client may have out")
    parser.add_argument("--window_bytes", type=int, default=1 << 20, help="and the bytes of their requests")
    flags = parser.parse_args()

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    served = Server((flags.window, flags.window_bytes))
    attach = grpc.stream_stream_rpc_method_handler(served.attach, Batch.FromString, lambda raw: raw)
    server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=[("grpc.so_reuseport", 0)])
    service, method = PATH.strip("/").split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: attach}),))
    port = server.add_insecure_port(f"127.0.0.1:{flags.port}")
    if port == 0:
        sys.exit(f"session_server: cannot listen on 127.0.0.1:{flags.port}")
    server.start()
    print(f"listening on {port}", flush=True)
    stop.wait()
    server.stop(0).wait()


if __name__ == "__main__":
    main()
