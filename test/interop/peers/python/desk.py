"""The service of desk.proto, for either end of a session."""

import threading

import wire
from session import DEADLINE_EXCEEDED, Failed, Handler
from wire import TYPES

CANCELLED = 1
SERVICE = "/desk.v1.Desk/"


class Desk:
    def __init__(self):
        self._lock = threading.Lock()
        self._last = {}
        self.taken = self.inversions = self.begun = self.stopped = self.holding = self.most = 0
        self.holding_bytes = self.most_bytes = 0
        self.handlers = {
            SERVICE + "Take": Handler(self.take),
            SERVICE + "Refuse": Handler(self.refuse),
            SERVICE + "Hold": Handler(self.hold, quick=False),
            SERVICE + "Held": Handler(self.held),
            SERVICE + "Note": Handler(self.note),
            SERVICE + "CallBack": Handler(self.call_back, quick=False),
        }

    def take(self, call):
        request = TYPES["TakeRequest"].FromString(call.request)
        with self._lock:
            self.taken += 1
            if request.number <= self._last.get(request.key, 0):
                self.inversions += 1
            self._last[request.key] = request.number
            return wire.serialize(TYPES["TakeReply"](taken=self.taken, inversions=self.inversions))

    def refuse(self, call):
        request = TYPES["RefuseRequest"].FromString(call.request)
        raise Failed(request.code, request.message, request.details, [("x-why", "because")])

    def hold(self, call):
        request = TYPES["HoldRequest"].FromString(call.request)
        with self._lock:
            self.begun += 1
            self.holding += 1
            self.most = max(self.most, self.holding)
            self.holding_bytes += call.size
            self.most_bytes = max(self.most_bytes, self.holding_bytes)
        stopped = call.stopped.wait(request.milliseconds / 1e3 if request.milliseconds else call.time_left())
        with self._lock:
            self.holding -= 1
            self.holding_bytes -= call.size
            self.stopped += stopped
        if stopped:
            raise Failed(CANCELLED, "stopped")
        if call.time_left() == 0:
            raise Failed(DEADLINE_EXCEEDED, "it held for too long")
        return b""

    def held(self, _):
        with self._lock:
            counts = {"begun": self.begun, "stopped": self.stopped, "most": self.most, "most_bytes": self.most_bytes}
            return wire.serialize(TYPES["HeldReply"](**counts))

    def note(self, call):
        note = call.metadata.get("x-note", b"")
        call.headers.append(("x-heard", note))
        call.trailers.append(("x-noted-bin", note))
        return call.request  # NoteRequest and NoteReply have the same field

    def call_back(self, call):
        request = TYPES["CallBackRequest"].FromString(call.request)
        takes = [
            call.session.call(SERVICE + "Take", wire.serialize(TYPES["TakeRequest"](key=1, number=number)), key=1)
            for number in range(1, request.times + 1)
        ]
        for take in takes:
            outcome = take.outcome()
            if outcome.code:
                raise Failed(outcome.code, f"the caller's desk: {outcome.message}")
        return wire.serialize(TYPES["CallBackReply"](answered=len(takes)))
