"""weft's session protocol on grpcio, both ends, made from proto/weft/session/v1/session.proto alone.

A Session is one stream: `outgoing()` is what is to be written to it, `take(batch)` what was read. Calls may go both ways.
"""

import threading
import time
from typing import Callable, NamedTuple

import wire

Batch, Reply, Entry = (wire.TYPES[name] for name in ("Batch", "Reply", "Entry"))
PATH = "/weft.session.v1.Session/Attach"
VERSION = 1
MOST_METHODS = 4096
INVALID_ARGUMENT, DEADLINE_EXCEEDED, UNIMPLEMENTED = 3, 4, 12
RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, UNAVAILABLE = 8, 9, 10, 14


class Violation(Exception):
    """The other side broke a rule. `code`: the status that ends the stream."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Failed(Exception):
    """What a handler raises to end its call with an error."""

    def __init__(self, code, message="", details=b"", trailers=()):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.details, self.trailers = code, message, details, trailers


class Outcome(NamedTuple):
    code: int
    reply: bytes
    message: str
    details: bytes
    not_run: bool
    headers: dict
    trailers: dict


class Call:
    """A call of this side."""

    def __init__(self, session, size):
        self.id, self.size = 0, size
        self._session, self._outcome, self._ended = session, None, threading.Event()

    def end(self, outcome):
        if self._outcome is not None:
            raise AssertionError(f"call {self.id} ended twice")
        self._outcome = outcome
        self._ended.set()

    def outcome(self, patience=20):
        if not self._ended.wait(patience):
            raise AssertionError(f"call {self.id} was not answered within {patience} s")
        return self._outcome

    def cancel(self):
        self._session.cancel(self.id)


class Served:
    """A call of the other side, for its handler."""

    def __init__(self, session, frame):
        self.session, self.id, self.request = session, frame.id, frame.request
        self.metadata = dict((each.key, each.value) for each in frame.metadata)
        self.size, self.key, self.gapless = len(frame.request), frame.key, frame.gapless
        self.stopped = threading.Event()
        self.until = time.monotonic() + frame.limit_us / 1e6 if frame.limit_us else None
        self.headers, self.trailers = [], []

    def time_left(self):
        """In seconds; None: no limit."""
        return None if self.until is None else max(self.until - time.monotonic(), 0)


class Handler(NamedTuple):
    run: Callable
    quick: bool = True  # runs before the next call is looked at; others have a thread


def _pairs(entries):
    return {each.key: each.value for each in entries}


def _entries(target, pairs):
    for key, value in pairs:
        target.add(key=key, value=value if isinstance(value, bytes) else value.encode())


class Session:
    def __init__(self, handlers=None, window=(64, 1 << 20), knows_peer=False):
        self._handlers = handlers or {}
        self._takes_calls, self._takes_bytes = window
        self._changed = threading.Condition()
        self._batch = Batch()
        self._batch.attach.oldest_version = self._batch.attach.newest_version = VERSION
        self._batch.attach.window.calls, self._batch.attach.window.bytes = window
        self._attached = False
        self._may_call = not knows_peer  # a server waits for the client's attach
        self._closing = self._over = False
        # Calls of this side.
        self._room = (64, 65_536)
        self._last_id = 0
        self._sent = {}
        self._numbers = {}
        self._gone = False
        self.most_out = 0
        self.pongs = []
        self.goodbye = None
        # The other side's.
        self._came_last = 0
        self._paths = []
        self._serving = {}
        self._unwritten = []  # sizes of the calls whose answers wait to be written
        self._unheard = []  # the same of answers that whoever sent the batch that is being read cannot know
        self._knows_peer = knows_peer
        self._gaps = set()
        self._leaves_after = None

    # What is said.

    def outgoing(self):
        """Batches to be written, until the session is over."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._batch.ListFields() or self._may_end())
                if self._over or not self._batch.ListFields():
                    return
                batch, self._batch = self._batch, Batch()
                self._unwritten = []
            yield batch

    def _may_end(self):
        return self._closing and not self._sent and not self._serving

    def call(self, path, request=b"", key=0, gapless=False, limit_us=0, metadata=(), ignore_window=False):
        """Makes a call, when the other side's window has room for it."""
        call = Call(self, len(request))
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._gone or ignore_window or self._has_room(len(request)))
            if self._over or self._gone:
                call.end(Outcome(UNAVAILABLE, b"", "the session is over", b"", True, {}, {}))
                return call
            self._last_id += 1
            call.id = self._last_id
            self._sent[call.id] = call
            self.most_out = max(self.most_out, len(self._sent))
            frame = self._batch.calls.add(id=call.id, request=request, limit_us=limit_us, key=key, gapless=gapless)
            if path not in self._numbers:
                self._numbers[path] = len(self._numbers)
                frame.path = path
            frame.method = self._numbers[path]
            _entries(frame.metadata, metadata)
            self._changed.notify_all()
        return call

    def _has_room(self, size):
        if not self._may_call or len(self._sent) >= self._room[0]:
            return False
        return not self._sent or sum(each.size for each in self._sent.values()) + size <= self._room[1]

    def cancel(self, number):
        self._say(lambda batch: batch.cancels.append(number))

    def forget(self, key):
        self._say(lambda batch: batch.forget.append(key))

    def ping(self, number):
        self._say(lambda batch: setattr(batch, "ping", number))

    def wait_for_pong(self, number, patience):
        with self._changed:
            return self._changed.wait_for(lambda: number in self.pongs, patience)

    def say(self, raw):
        """A batch as it is given, beside what else there is to say."""
        self._say(lambda batch: batch.MergeFrom(raw))

    def leave(self, after):
        """Answers the calls up to this id, and no later one."""

        def say(batch):
            self._leaves_after = after
            batch.go_away.last_id = after

        self._say(say)

    def close(self):
        """No further call; the stream is half-closed when all are answered."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _say(self, add):
        with self._changed:
            add(self._batch)
            self._changed.notify_all()

    # What is heard.

    def take(self, batch):
        """A batch that was read; raises Violation."""
        with self._changed:
            self._unheard = list(self._unwritten)
        if batch.HasField("attach"):
            self._take_attach(batch.attach)
        elif not self._attached:
            raise Violation(INVALID_ARGUMENT, "the first batch has no attach")
        if batch.HasField("window"):
            self._take_window(batch.window)
        self._gaps.difference_update(batch.forget)
        for call in batch.calls:
            self._take_call(call)
        for reply in batch.replies:
            self._take_reply(reply)
        for number in batch.cancels:
            served = self._serving.get(number)
            if served:
                served.stopped.set()
        if batch.ping:
            self._say(lambda out: setattr(out, "pong", batch.ping))
        if batch.pong:
            with self._changed:
                self.pongs.append(batch.pong)
                self._changed.notify_all()
        if batch.HasField("go_away"):
            self._take_go_away(batch.go_away.last_id)

    def _take_attach(self, attach):
        if self._attached:
            raise Violation(INVALID_ARGUMENT, "attach came twice")
        if not attach.oldest_version <= VERSION <= attach.newest_version:
            raise Violation(FAILED_PRECONDITION, "no version is shared")
        self._attached = True
        self._take_window(attach.window)

    def _take_window(self, window):
        with self._changed:
            self._room = (window.calls, window.bytes)
            self._may_call = True
            self._changed.notify_all()

    def _take_reply(self, reply):
        with self._changed:
            call = self._sent.pop(reply.id, None)
            self._changed.notify_all()
        if call is None:
            raise Violation(INVALID_ARGUMENT, f"an answer to call {reply.id}, which is not out")
        call.end(
            Outcome(
                reply.code,
                reply.reply,
                reply.message.decode(errors="replace"),
                reply.details,
                reply.not_run,
                _pairs(reply.headers),
                _pairs(reply.trailers),
            )
        )

    def _take_go_away(self, last):
        with self._changed:
            self._gone = True
            self.goodbye = last
            unrun = [self._sent.pop(number) for number in sorted(self._sent) if number > last]
            self._changed.notify_all()
        for call in unrun:
            call.end(Outcome(UNAVAILABLE, b"", "the other side went away", b"", True, {}, {}))
        self.close()

    def _take_call(self, frame):
        if frame.id <= self._came_last:
            raise Violation(INVALID_ARGUMENT, f"call {frame.id} came after call {self._came_last}")
        calls, size = self._takes_calls, self._takes_bytes
        if self._knows_peer:  # a client may not have heard of them yet
            calls, size = max(calls, 64), max(size, 65_536)
        with self._changed:
            out = [each.size for each in self._serving.values()] + self._unheard
        if len(out) >= calls or (out and sum(out) + len(frame.request) > size):
            raise Violation(RESOURCE_EXHAUSTED, f"call {frame.id} is beyond the window")
        if frame.path:
            if frame.method != len(self._paths) or frame.method == MOST_METHODS:
                raise Violation(INVALID_ARGUMENT, f"call {frame.id} names method {frame.method}")
            self._paths.append(frame.path)
        elif frame.method >= len(self._paths):
            raise Violation(INVALID_ARGUMENT, f"method {frame.method} has not been named")
        self._came_last = frame.id
        if self._leaves_after is not None and frame.id > self._leaves_after:
            return
        served = Served(self, frame)
        with self._changed:
            self._serving[frame.id] = served
        handler = self._handlers.get(self._paths[frame.method])
        if handler is None:
            self._refuse(served, UNIMPLEMENTED, "no method " + self._paths[frame.method])
        elif frame.gapless and frame.key in self._gaps:
            self._refuse(served, ABORTED, "a call before it did not run")
        elif handler.quick:
            self._run(handler, served)
        else:
            threading.Thread(target=self._run, args=(handler, served), daemon=True).start()

    def _refuse(self, served, code, message):
        if served.gapless:
            self._gaps.add(served.key)
        self._answer(served, Reply(id=served.id, code=code, message=message.encode(), not_run=True))

    def _run(self, handler, served):
        reply = Reply(id=served.id)
        try:
            reply.reply = handler.run(served)
        except Failed as failed:
            reply.code, reply.message, reply.details = failed.code, failed.message.encode(), failed.details
            _entries(reply.trailers, failed.trailers)
        _entries(reply.headers, served.headers)
        _entries(reply.trailers, served.trailers)
        self._answer(served, reply)

    def _answer(self, served, reply):
        with self._changed:
            if self._serving.pop(served.id, None) and not self._over:
                self._batch.replies.append(reply)
                self._unwritten.append(served.size)
                self._unheard.append(served.size)
            self._changed.notify_all()

    # The end.

    def ended(self, why):
        """The stream is over: what is out fails, what is served is stopped."""
        with self._changed:
            self._over = True
            out, self._sent = list(self._sent.values()), {}
            serving = list(self._serving.values())
            self._changed.notify_all()
        for call in out:
            call.end(Outcome(UNAVAILABLE, b"", why, b"", False, {}, {}))
        for served in serving:
            served.stopped.set()
