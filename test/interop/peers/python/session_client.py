"""Runs a case of weft's sessions against a server of desk.v1.Desk, on grpcio; ends with 0 if it passed. `--help` lists them."""

import argparse
import os
import random
import signal
import sys
import threading
import time

import grpc

import wire
from desk import CANCELLED, SERVICE, Desk
from session import ABORTED, DEADLINE_EXCEEDED, INVALID_ARGUMENT, PATH, RESOURCE_EXHAUSTED, UNAVAILABLE, UNIMPLEMENTED
from session import VERSION, Batch, Session, Violation
from wire import TYPES

PATIENCE = 20  # seconds for anything


class Failed(Exception):
    pass


def check(good, what):
    if not good:
        raise Failed(what)


class Connected:
    """A session with the server, whose calls back are served by a desk of this side."""

    def __init__(self, flags, window=(64, 1 << 20)):
        self.desk = Desk()
        self.session = Session(self.desk.handlers, window)
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(f"{flags.server_host}:{flags.server_port}", options)
        attach = self._channel.stream_stream(PATH, lambda batch: batch.SerializeToString(), Batch.FromString)
        self._stream = attach(self.session.outgoing())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        try:
            for batch in self._stream:
                self.session.take(batch)
            self.session.ended("the stream ended")
        except grpc.RpcError as error:
            self.session.ended(f"the stream broke: {error.code()}: {error.details()}")
        except Violation as violation:
            self._stream.cancel()
            self.session.ended(f"the server broke a rule: {violation}")

    def call(self, method, request=None, **options):
        return self.session.call(SERVICE + method, wire.serialize(request) if request else b"", **options)

    def ask(self, method, request=None, reply=None, **options):
        outcome = self.call(method, request, **options).outcome(PATIENCE)
        check(outcome.code == 0, f"{method}: {outcome.code} {outcome.message}")
        return TYPES[reply].FromString(outcome.reply) if reply else None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.session.close()
            self._reader.join(PATIENCE)
            code = self._stream.code() if not self._reader.is_alive() else "none within the patience"
            check(code == grpc.StatusCode.OK, f"the session should have ended in order; it ended with {code}")
        self._channel.close()


def take(key, number):
    return TYPES["TakeRequest"](key=key, number=number)


def until(what, answers):
    """Asks the server again and again."""
    end = time.monotonic() + PATIENCE
    while not answers():
        check(time.monotonic() < end, "in vain: " + what)


def order(flags):
    """Calls of 16 keys, pipelined, are taken in order."""
    keys = [random.getrandbits(48) + 1 for _ in range(16)]
    with Connected(flags) as to:
        calls = [to.call("Take", take(key, number), key=key) for number in range(1, 251) for key in keys]
        last = max(TYPES["TakeReply"].FromString(call.outcome().reply).inversions for call in calls)
    check(last == 0, f"{last} inversions")


def errors(flags):
    """Code, message, details and trailers arrive."""
    with Connected(flags) as to:
        outcome = to.call("Refuse", TYPES["RefuseRequest"](code=9, message="näh", details=b"\x08\x09")).outcome()
        seen = (outcome.code, outcome.message, outcome.details, outcome.trailers.get("x-why"), outcome.not_run)
        check(seen == (9, "näh", b"\x08\x09", b"because", False), f"came: {seen}")


def metadata(flags):
    """Metadata of a call arrive, and come back before and behind the reply."""
    with Connected(flags) as to:
        call = to.call("Note", TYPES["NoteRequest"](text="hi"), metadata=[("x-note", "loud")])
        outcome = call.outcome()
        check(TYPES["NoteReply"].FromString(outcome.reply).text == "hi", "the reply")
        seen = (outcome.headers.get("x-heard"), outcome.trailers.get("x-noted-bin"))
        check(seen == (b"loud", b"loud"), f"came: {outcome}")


def deadline(flags):
    """A call ends at its limit; the session goes on."""
    with Connected(flags) as to:
        outcome = to.call("Hold", TYPES["HoldRequest"](), limit_us=50_000).outcome()
        check(outcome.code == DEADLINE_EXCEEDED, f"came: {outcome}")
        to.ask("Take", take(random.getrandbits(48), 1))


def cancel(flags):
    """Calls that are given up are stopped and answered, and there is room in the window for as many again, three times."""
    with Connected(flags) as to:
        for times in range(1, 4):
            calls = [to.call("Hold", TYPES["HoldRequest"]()) for _ in range(flags.window - 1)]
            wanted = times * len(calls)
            until("all are begun", lambda n=wanted: to.ask("Held", reply="HeldReply").begun == n)
            for call in calls:
                call.cancel()
            for call in calls:
                check(call.outcome().code == CANCELLED, f"came: {call.outcome()}")
            until("all are stopped", lambda n=wanted: to.ask("Held", reply="HeldReply").stopped == n)


def window(flags):
    """Never are more calls in progress than the server's window has. (It has --window of them.)"""
    with Connected(flags) as to:
        to.ask("Held")  # its answer comes behind the window; until that is known it is 64
        to.session.most_out = 0
        calls = [to.call("Hold", TYPES["HoldRequest"](milliseconds=10)) for _ in range(5 * flags.window)]
        check(all(call.outcome().code == 0 for call in calls), "one failed")
        most = to.ask("Held", reply="HeldReply").most
        check(to.session.most_out <= flags.window and most <= flags.window, f"{to.session.most_out} out, {most} held")


def window_bytes(flags):
    """Never are more bytes of requests in progress than the window has, except that one call may be of any size."""
    with Connected(flags) as to:
        to.ask("Held")
        filler = bytes(flags.window_bytes * 3 // 10)
        calls = [to.call("Hold", TYPES["HoldRequest"](milliseconds=10, filler=filler)) for _ in range(20)]
        check(all(call.outcome().code == 0 for call in calls), "one failed")
        most = to.ask("Held", reply="HeldReply").most_bytes
        check(2 * len(filler) < most <= flags.window_bytes, f"{most} bytes")
        to.ask("Hold", TYPES["HoldRequest"](milliseconds=1, filler=bytes(2 * flags.window_bytes)))


def first_window(flags):
    """Who does not know the window yet may have 64 calls out, whatever it turns out to be."""
    with Connected(flags) as to:
        calls = [to.call("Hold", TYPES["HoldRequest"](milliseconds=10), ignore_window=True) for _ in range(64)]
        check(all(call.outcome().code == 0 for call in calls), f"came: {calls[-1].outcome()}")


def gapless(flags):
    """A key without gaps stops behind a call that did not run, until it is forgotten."""
    key = random.getrandbits(48) + 1
    with Connected(flags) as to:
        missing = to.session.call(SERVICE + "NoSuch", key=key, gapless=True)
        behind = [to.call("Take", take(key, number), key=key, gapless=True) for number in (1, 2, 3)]
        check(missing.outcome().code == UNIMPLEMENTED and missing.outcome().not_run, f"came: {missing.outcome()}")
        for call in behind:
            check(call.outcome().code == ABORTED and call.outcome().not_run, f"came: {call.outcome()}")
        to.session.forget(key)
        to.ask("Take", take(key, 4), key=key, gapless=True)


def call_back(flags):
    """The server calls a service of the client on the same stream, in order, within a small window."""
    with Connected(flags, window=(4, 1 << 16)) as to:
        reply = to.ask("CallBack", TYPES["CallBackRequest"](times=200), "CallBackReply")
        check(reply.answered == to.desk.taken == 200, f"{reply.answered} answered, {to.desk.taken} taken")
        check(to.desk.inversions == 0, f"{to.desk.inversions} inversions")


def ping(flags):
    """A ping is answered with its number."""
    with Connected(flags) as to:
        for number in (7, 1 << 60):
            to.session.ping(number)
            check(to.session.wait_for_pong(number, PATIENCE), "no pong came")


def unknown_method(flags):
    """A method that is not there is UNIMPLEMENTED, and did not run."""
    with Connected(flags) as to:
        outcome = to.session.call("/desk.v1.Nobody/Home").outcome()
        check(outcome.code == UNIMPLEMENTED and outcome.not_run, f"came: {outcome}")
        to.ask("Take", take(random.getrandbits(48), 1))


def unknown_fields(flags):
    """Fields that nobody knows are skipped."""
    strange = b"\xa2\x06\x03abc" + b"\xa8\x06\x2a" + b"\xb5\x06abcd" + b"\xb9\x06abcdefgh"
    with Connected(flags) as to:
        to.session.say(Batch.FromString(strange))
        to.ask("Take", take(random.getrandbits(48), 1))


def go_away(flags):
    """A server that stops answers what it has begun; what comes later does not run. (Ends the server: --server_pid.)"""
    check(flags.server_pid > 0, "it needs --server_pid")
    with Connected(flags) as to:
        before = to.ask("Held", reply="HeldReply").begun
        begun = to.call("Hold", TYPES["HoldRequest"](milliseconds=300))
        until("Hold is begun", lambda: to.ask("Held", reply="HeldReply").begun > before)
        os.kill(flags.server_pid, signal.SIGTERM)
        calls = []  # of which some cross the go_away; an answer to one that is beyond it would break a rule
        while to.session.goodbye is None:
            calls.append(to.call("Take", take(1, len(calls) + 1), key=1))
        last = to.session.goodbye
        check(last >= begun.id, f"the last that it answers is {last}")
        check(begun.outcome().code == 0, f"came: {begun.outcome()}")
        for call in calls:
            answered = 0 < call.id <= last  # 0: the session was left already
            outcome = call.outcome()
            check(outcome.code == (0 if answered else UNAVAILABLE), f"{call.id} of {last}: {outcome}")
            check(outcome.not_run != answered, f"{call.id} of {last}: {outcome}")


# What breaks a rule: its batches, and the status that ends the stream.
def _broken_rules(flags):
    attach = Batch(attach={"oldest_version": VERSION, "newest_version": VERSION, "window": {"calls": 64, "bytes": 65_536}})
    hold = SERVICE + "Hold"
    half = TYPES["HoldRequest"](filler=bytes(max(flags.window_bytes, 65_536) // 2))
    large = {"id": 1, "path": hold, "request": wire.serialize(half)}
    wrong = {
        "the first batch has no attach": ([Batch(ping=1)], INVALID_ARGUMENT),
        "attach comes twice": ([attach, attach], INVALID_ARGUMENT),
        "no version is shared": ([Batch(attach={"oldest_version": 90, "newest_version": 99})], 9),
        "ids do not rise": ([attach, Batch(calls=[{"id": 2, "path": hold}, {"id": 2}])], INVALID_ARGUMENT),
        "an id is 0": ([attach, Batch(calls=[{"id": 0, "path": hold}])], INVALID_ARGUMENT),
        "a method was not named": ([attach, Batch(calls=[{"id": 1, "method": 3}])], INVALID_ARGUMENT),
        "a method has another's number": ([attach, Batch(calls=[{"id": 1, "path": hold, "method": 1}])], INVALID_ARGUMENT),
        "an answer to nothing": ([attach, Batch(replies=[{"id": 1}])], INVALID_ARGUMENT),
        "garbage": ([attach, b"\x12\xff\xff\xff\xff\x0fabc"], INVALID_ARGUMENT),
        "a call is cut off": ([attach, b"\x12\x05\x08\x01\x22\x7fa"], INVALID_ARGUMENT),
        "calls beyond the window": (
            [attach, Batch(calls=[{"id": i + 1, "path": "" if i else hold} for i in range(max(flags.window, 64) + 1)])],
            RESOURCE_EXHAUSTED,
        ),
        "bytes beyond the window": ([attach, Batch(calls=[large, {"id": 2, "request": large["request"]}])], RESOURCE_EXHAUSTED),
    }
    return wrong


def rules(flags):
    """Whoever breaks a rule has his stream ended with the status that the rule names; another session goes on."""
    with Connected(flags) as bystander:
        for what, (batches, code) in _broken_rules(flags).items():
            channel = grpc.insecure_channel(f"{flags.server_host}:{flags.server_port}")
            over = threading.Event()

            def say(batches=batches, over=over):
                for batch in batches:
                    yield batch if isinstance(batch, bytes) else batch.SerializeToString()
                over.wait(PATIENCE)

            stream = channel.stream_stream(PATH, None, None)(say(), timeout=PATIENCE)
            try:
                for _ in stream:
                    pass
                came = stream.code()
            except grpc.RpcError as error:
                came = error.code()
            over.set()
            channel.close()
            check(came.value[0] == code, f"{what}: expected {code}, came {came}: {stream.details()}")
            bystander.ask("Take", take(random.getrandbits(48), 1))


CASES = {
    each.__name__: each
    for each in (
        order, errors, metadata, deadline, cancel, window, window_bytes, first_window, gapless, call_back, ping,
        unknown_method, unknown_fields, rules, go_away,
    )
}


def main():
    lines = "\n".join(f"  {name}: {case.__doc__}" for name, case in CASES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="cases:\n" + lines, allow_abbrev=False, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--server_host", default="127.0.0.1")
    parser.add_argument("--server_port", type=int, required=True)
    parser.add_argument("--server_pid", type=int, default=0, help="for go_away")
    parser.add_argument("--window", type=int, default=64, help="calls that the server takes at once")
    parser.add_argument("--window_bytes", type=int, default=1 << 20, help="and the bytes of their requests")
    parser.add_argument("--test_case", required=True, choices=CASES, metavar="NAME")
    flags = parser.parse_args()
    try:
        CASES[flags.test_case](flags)
    except (Failed, AssertionError) as failed:
        sys.exit(f"{flags.test_case}: {failed}")


if __name__ == "__main__":
    main()
