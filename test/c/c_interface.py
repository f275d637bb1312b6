"""c_interface.py LIBRARY DESCRIPTORS: the C interface by ctypes, waiting on its descriptor: a client that is pumped, a server with a
thread."""
import ctypes
import select
import sys
import time
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

if len(sys.argv) != 3:
    print(__doc__, file=sys.stderr)
    sys.exit(0 if sys.argv[1:] == ["--help"] else 2)
weft = ctypes.CDLL(sys.argv[1])
weft.weft_last_error.restype = c_char_p
weft.weft_code_name.restype = c_char_p
handle = c_uint64
THREAD_HOOK = CFUNCTYPE(None, c_void_p, c_char_p)


class Sized(Structure):
    def __init__(self, **members):
        super().__init__(size=ctypes.sizeof(self), **members)


class Metadata(Structure):
    _fields_ = [("key", c_char_p), ("value", c_char_p), ("value_size", c_size_t)]


class RuntimeOptions(Sized):
    _fields_ = [("size", c_size_t), ("workers", c_int32), ("log", c_int32), ("wake_fd", c_int32), ("hook_user", c_void_p),
                ("thread_start", THREAD_HOOK), ("log_line", c_void_p)]


class PumpReport(Sized):
    _fields_ = [("size", c_size_t), ("more", c_int32), ("next_timer_us", c_int64), ("ran", c_uint32), ("left", c_uint32)]


class CallOptions(Sized):
    _fields_ = [("size", c_size_t), ("user", c_uint64), ("deadline_ms", c_int64), ("metadata", POINTER(Metadata)),
                ("metadata_count", c_size_t), ("format", c_int32)]  # as far as this program knows


class ServiceOptions(Sized):
    _fields_ = [("size", c_size_t), ("user", c_uint64), ("methods", c_void_p), ("methods_count", c_size_t),
                ("format", c_int32)]


class ServerOptions(Sized):
    _fields_ = [("size", c_size_t), ("addresses", POINTER(c_char_p)), ("addresses_count", c_size_t),
                ("services", POINTER(handle)), ("services_count", c_size_t)]


class Event(Sized):
    _fields_ = [("size", c_size_t), ("type", c_int32), ("code", c_int32), ("about", handle), ("service", handle),
                ("user", c_uint64), ("text", c_char_p), ("text_size", c_size_t), ("data", c_void_p),
                ("data_size", c_size_t), ("details", c_void_p), ("details_size", c_size_t), ("method", c_char_p),
                ("headers", POINTER(Metadata)), ("headers_count", c_size_t)]


NONE, REPLY, MESSAGE, DONE, END, REQUEST, CANCELLED = 0, 1, 3, 4, 6, 7, 8
JSON = 1


def ok(code):
    if code != 0:
        raise RuntimeError(weft.weft_code_name(code).decode() + ": " + weft.weft_last_error().decode())


def made(function, *arguments):
    result = handle()
    ok(function(*arguments, byref(result)))
    return handle(result.value)


class Runtime:
    def __init__(self, workers):
        self.threads = []
        self.hook = THREAD_HOOK(lambda user, name: self.threads.append(name))  # kept: it is called later
        self.pumped = workers == 0
        options = RuntimeOptions(workers=workers, log=2, wake_fd=1, thread_start=self.hook)
        self.handle = made(weft.weft_runtime_create, byref(options))
        fd = c_int()
        ok(weft.weft_wake_fd(self.handle, byref(fd)))
        self.fd = fd.value
        ok(weft.weft_types_load(self.handle, sys.argv[2].encode()))

    def pump(self):
        report = PumpReport()
        ok(weft.weft_pump(self.handle, c_int64(2000), c_uint32(1000), byref(report)))
        return 20 if report.next_timer_us < 0 else report.next_timer_us / 1e6

    def poll(self):
        event = Event()
        ok(weft.weft_poll(self.handle, byref(event)))
        event.bytes = ctypes.string_at(event.data, event.data_size)
        return event


class Loop:
    """Runs all runtimes until one of them has an event."""

    def __init__(self, *runtimes):
        self.runtimes = runtimes

    def next_of(self, runtime):
        late = time.monotonic() + 20
        while True:
            wait = min([r.pump() for r in self.runtimes if r.pumped] + [20])
            event = runtime.poll()
            if event.type != NONE:
                return event
            assert time.monotonic() < late, "no event came"
            select.select([r.fd for r in self.runtimes], [], [], wait)


def main():
    there, here = Runtime(workers=1), Runtime(workers=0)
    loop = Loop(there, here)
    service = made(weft.weft_service_create, there.handle, b"test.v1.Echo", byref(ServiceOptions(format=JSON)))
    server = made(weft.weft_server_start, there.handle,
                  byref(ServerOptions(services=(handle * 1)(service), services_count=1)))
    port = c_int()
    ok(weft.weft_server_port(server, c_size_t(0), byref(port)))
    peer = made(weft.weft_peer_open, here.handle, b"127.0.0.1:%d" % port.value, None)

    sent = (Metadata * 1)(Metadata(b"x-player", b"7", 1))
    options = CallOptions(format=JSON, user=7, metadata=sent, metadata_count=1)
    request = '{"text":"grüß dich"}'.encode()
    call = made(weft.weft_call, peer, b"test.v1.Echo/Say", request, c_size_t(len(request)), byref(options))
    asked = loop.next_of(there)
    assert asked.type == REQUEST and asked.method == b"/test.v1.Echo/Say" and asked.bytes == request
    assert (b"x-player", b"7") in [(asked.headers[i].key, asked.headers[i].value) for i in range(asked.headers_count)]
    ok(weft.weft_reply(handle(asked.about), request, c_size_t(len(request)), None))
    reply = loop.next_of(here)
    assert (reply.type, reply.about, reply.user, reply.code, reply.bytes) == (REPLY, call.value, 7, 0, request)

    made(weft.weft_call, peer, b"test.v1.Echo/Say", request, c_size_t(len(request)), byref(options))
    ok(weft.weft_fail(handle(loop.next_of(there).about), 5, b"no room", None))
    reply = loop.next_of(here)
    assert (reply.code, reply.text) == (5, b"no room")

    stream = made(weft.weft_stream_open, peer, b"test.v1.Echo/Join", byref(options))
    for _ in range(3):
        ok(weft.weft_stream_write(stream, request, c_size_t(len(request))))
    ok(weft.weft_stream_writes_done(stream))
    asked = loop.next_of(there)
    about = handle(asked.about)
    assert [loop.next_of(there).type for _ in range(4)] == [MESSAGE, MESSAGE, MESSAGE, DONE]
    ok(weft.weft_reply(about, request, c_size_t(len(request)), None))
    message = loop.next_of(here)
    assert message.type == MESSAGE and message.bytes == request
    assert loop.next_of(here).type == END

    assert weft.weft_cancel(stream) == 100
    for runtime in here, there:
        ok(weft.weft_runtime_destroy(runtime.handle))
    assert b"weft-worker" in there.threads and here.threads == [b"weft-waiter"], (there.threads, here.threads)
    print("ok")


main()
