"""What the rows of a suite say, in sentences made of their figures: bench/report.py puts them above each table. So an answer
cannot differ from the table below it. A sentence whose rows are missing or void is left out."""


def short(v):
    """1234567 as 1.23 M: for axes, cells and sentences."""
    if v == 0:
        return "0"
    for limit, unit, by in ((1e9, " G", 1e9), (1e6, " M", 1e6), (1e4, " k", 1e3)):
        if abs(v) >= limit:
            return f"{v / by:.3g}{unit}"
    return f"{v:,.0f}" if abs(v) >= 100 else f"{v:.3g}"


def middle(row, field):
    """A figure of a row: the median where there are several; None where there is none."""
    value = row.get(field)
    if isinstance(value, dict):
        value = value.get("median")
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


class Missing(Exception):
    """A sentence wants a figure that is not there."""


class Rows:
    def __init__(self, rows):
        # Rows of another payload are another table.
        self.rows = [r for r in rows if not r.get("void") and r.get("payload", 32) == 32]

    def figure(self, name, field, at=None):
        for r in self.rows:
            if r["name"] == name and at in (None, r["concurrency"]) and middle(r, field) is not None:
                return middle(r, field)
        raise Missing(f"{name}, {at}: {field}")

    def __call__(self, name, field, at=None):
        return short(self.figure(name, field, at))

    def times(self, name, other, field, at=None):
        """How many times the other's figure, as text."""
        base = self.figure(other, field, at)
        if base <= 0:
            raise Missing(f"{other}: {field} is 0")
        return f"{self.figure(name, field, at) / base:.2f}"

    def most(self, names, field, at=None, least=False):
        """The name with the largest figure of those that are there."""
        found = []
        for name in names:
            try:
                found.append((self.figure(name, field, at), name))
            except Missing:
                pass
        if not found:
            raise Missing(field)
        return (min if least else max)(found)[1]

    def peers(self):
        return list(dict.fromkeys(r["name"] for r in self.rows if r["peer"]))


def unary(r):
    for n in (1, 64, 512):
        yield lambda n=n: (f"With {n} out `weft unary, gRPC's settings` makes {r.times(WEFT_AT_GRPC, 'raw_cq', 'calls_per_s', n)} "
                           f"times the calls of the raw queue, as it comes {r.times('weft unary', 'raw_cq', 'calls_per_s', n)}; "
                           f"of the peers most has {best_peer(r, n)}.")


WEFT_AT_GRPC = "weft unary, gRPC's settings"


def best_peer(r, at):
    name = r.most(r.peers(), "calls_per_s", at)
    return f"{name}, {r.times(name, 'raw_cq', 'calls_per_s', at)}"


def session(r):
    for n in (1, 64, 512, 4096):
        yield lambda n=n: (f"With {n} out a session makes {r.times('weft session', 'raw_cq', 'calls_per_s', n)} times the calls of the "
                           f"raw queue and {r.times('weft session', 'bare batched stream', 'calls_per_s', n)} times those of a bare "
                           f"batched stream; unary weft {r.times('weft unary', 'raw_cq', 'calls_per_s', n)}.")


def local(r):
    for n in (1, 64):
        yield lambda n=n: (f"With {n} out a call takes {r('weft local, one worker', 'ns', n)} ns on one worker; Go channels take "
                           f"{r.times('Go channels, one thread', 'weft local, one worker', 'ns', n)} times that, CAF "
                           f"{r.times('CAF actors, one thread', 'weft local, one worker', 'ns', n)}, Asio's strands "
                           f"{r.times('Asio strands, one thread', 'weft local, one worker', 'ns', n)}.")
        yield lambda n=n: (f"On two workers it is {r('weft local, two workers', 'ns', n)} ns, spinning "
                           f"{r('weft local, two workers, spin 50 us', 'ns', n)}; Go channels on two threads "
                           f"{r('Go channels, two threads', 'ns', n)}.")


def memory(r):
    yield lambda: (f"A player that waits takes {r('weft player', 'bytes')} bytes, with a call in somebody's mailbox "
                   f"{r('weft player, with a call that waits in the mailbox', 'bytes')}, with its call and the handler that waits "
                   f"{r('weft player, with its call and the handler that waits', 'bytes')}; a goroutine "
                   f"{r('goroutine', 'bytes')}, a fiber {r('fiber of Boost', 'bytes')}.")


def order(r):
    yield lambda: "Overtaken: " + ", ".join(f"{name} {r(name, 'inversions')}" for name in dict.fromkeys(x["name"] for x in r.rows)) + "."


def path(r):
    for n in (1_000, 5_000, 10_000, 20_000, 40_000, 80_000):
        yield lambda n=n: (f"At {short(n)} frames a second p99 is {r('weft gate, session', 'p99_us', n)} µs over a session, "
                           f"{r('weft gate, unary', 'p99_us', n)} by unary calls, {r('Go gate, grpc-go', 'p99_us', n)} in Go.")


    for n in (1_000, 20_000):
        yield lambda n=n: (f"At {short(n)} a frame wakes threads of the gate {r('weft gate, session', 'gate_wake_ups', n)} times and of the service "
                           f"{r('weft gate, session', 'service_wake_ups', n)} times over a session, {r('weft gate, unary', 'gate_wake_ups', n)} and "
                           f"{r('weft gate, unary', 'service_wake_ups', n)} by unary calls, {r('Go gate, grpc-go', 'gate_wake_ups', n)} and "
                           f"{r('Go gate, grpc-go', 'service_wake_ups', n)} in Go; it costs both together {cpu(r, 'weft gate, session', n)}, "
                           f"{cpu(r, 'weft gate, unary', n)} and {cpu(r, 'Go gate, grpc-go', n)} µs of CPU.")


def cpu(r, name, at):
    return short(r.figure(name, "gate_cpu_us", at) + r.figure(name, "service_cpu_us", at))


def player(r):
    for ms in (1, 10, 50, 200):
        yield lambda ms=ms: (f"While chat takes {ms} ms, p99 of a card is {r('weft lanes', 'p99_us', ms)} µs in lanes, "
                             f"{r('weft, one queue', 'p99_us', ms)} in one queue, {r('weft, a task a message', 'p99_us', ms)} with a task a "
                             f"message, of which {r('weft, a task a message', 'overtaken', ms)} are overtaken (lanes: "
                             f"{r('weft lanes', 'overtaken', ms)}).")
        yield lambda ms=ms: (f"In Go: {r('Go, a goroutine a lane', 'p99_us', ms)}, {r('Go, one queue', 'p99_us', ms)} and "
                             f"{r('Go, a goroutine a message', 'p99_us', ms)} µs, {r('Go, a goroutine a message', 'overtaken', ms)} overtaken.")


def pool(r):
    for n in (1, 2, 4, 10):
        yield lambda n=n: (f"{n} in turn: {r('unary, connections in turn', 'calls_per_s', n)} calls/s, p99 "
                           f"{r('unary, connections in turn', 'p99_us', n)} µs, {r('unary, connections in turn', 'inversions', n)} "
                           f"inversions; sessions over as many: {r('weft session, ordered by player', 'calls_per_s', n)}, "
                           f"{r('weft session, ordered by player', 'p99_us', n)} and {r('weft session, ordered by player', 'inversions', n)}.")


def limit(r):
    at = sorted({x["concurrency"] for x in r.rows})
    for name in ("weft limit(n), unary", "weft limit(n), session", "grpc-go, n goroutines"):
        def sentence(name=name):
            best = max(at, key=lambda n: r.figure(name, "calls_per_s", n))
            return f"{name}: most calls with n = {best}, {r(name, 'calls_per_s', best)} a second, p99 {r(name, 'p99_us', best)} µs."
        yield sentence
    yield lambda: ("The most in flight were, by n: "
                   + ", ".join(f"{n}: {r('weft limit(n), unary', 'most_in_flight', n)}" for n in at) + ".")


def locks(r):
    for ns in (0, 100, 1_000, 10_000):
        yield lambda ns=ns: (f"Sections of {short(ns)} ns on two threads: {r('mutex, two threads', 'ns', ns)} ns behind a mutex, "
                             f"{r('weft strand, two threads', 'ns', ns)} on a strand, {r('16 mutexes, two threads', 'ns', ns)} behind 16 "
                             f"mutexes, {r('weft, 16 strands, two threads', 'ns', ns)} on 16 strands.")
    yield lambda: (f"With 1 ms awaited inside an interleaved service has {r('await 1 ms inside: interleaved service', 'calls_per_s')} "
                   f"sections a second, an exclusive one {r('await 1 ms inside: exclusive service', 'calls_per_s')}, a mutex that is held "
                   f"meanwhile {r('await 1 ms inside: mutex held, 32 threads', 'calls_per_s')}.")


def workers(r):
    yield lambda: (f"Handlers at a time, of 64 calls: grpc-go {r('grpc-go', 'handlers')}, with NumStreamWorkers(8) "
                   f"{r('grpc-go, NumStreamWorkers(8)', 'handlers')}, with NumStreamWorkers(1) {r('grpc-go, NumStreamWorkers(1)', 'handlers')}; weft with "
                   f"`running = 8` {r('weft, running = 8', 'handlers')}, exclusive {r('weft, exclusive', 'handlers')}.")


def retry(r):
    yield lambda: (f"While all is well the raw queue makes {r.times(RAW_ON, RAW_OFF, 'calls_per_s')} times the calls with gRPC's retries on that it "
                   f"makes with them off; weft {r.times('weft, a policy', 'weft, no policy', 'calls_per_s')} times with a policy.")
    for end in ("server killed: ", "server stopped: "):
        yield lambda end=end: (
            f"{end.capitalize()}of {r(end + 'weft, no policy', 'calls')} calls weft fails {r(end + 'weft, no policy', 'errors')} without a "
            f"policy, {r(end + 'weft, a policy', 'errors')} with one, {r(end + 'weft, a policy, idempotent method', 'errors')} of an idempotent "
            f"method; twice ran {r(end + 'weft, a policy', 'run_twice')} of the second and "
            f"{r(end + 'weft, a policy, idempotent method', 'run_twice')} of the third.")
        yield lambda end=end: (
            f"gRPC C++ fails {r(end + 'gRPC C++, no policy', 'errors')} and with a retryPolicy {r(end + 'gRPC C++, retryPolicy', 'errors')}; "
            f"{r(end + 'gRPC C++, retryPolicy', 'run_twice')} ran twice, of a method that is not declared idempotent.")


RAW_ON, RAW_OFF = "raw_cq, gRPC's retries on (its default)", "raw_cq, gRPC's retries off"


def fanout(r):
    for n in (10, 100, 1_000):
        yield lambda n=n: (f"{short(n)} receivers: {r('weft audience, one stopped', 'ns_per_receiver', n)} ns of CPU for each, the room is busy for "
                           f"{r('weft audience, one stopped', 'room_us', n)} µs, the others' p99 is {r('weft audience, one stopped', 'p99_us', n)} µs "
                           f"while one has stopped and {r('weft audience', 'p99_us', n)} while none has; encoded for each "
                           f"{r('weft, encoded for each, one stopped', 'ns_per_receiver', n)} ns and "
                           f"{r('weft, encoded for each, one stopped', 'room_us', n)} µs; in Go, encoded once, "
                           f"{r('Go, encoded once, one stopped', 'ns_per_receiver', n)} ns and {r('Go, encoded once, one stopped', 'room_us', n)} µs.")


def scale(r):
    for what in ("players", "services"):
        def sentence(what=what):
            name = f"weft, by {what}"
            sizes = sorted({x["concurrency"] for x in r.rows if x["name"] == name})
            if not sizes:
                raise Missing(name)
            low, high = sizes[0], sizes[-1]
            return (f"From {short(low)} to {short(high)} {what} a message and its call grow from {r(name, 'ns', low)} to {r(name, 'ns', high)} ns "
                    f"(Go, one thread: {r(f'Go, by {what}, one thread', 'ns', low)} to {r(f'Go, by {what}, one thread', 'ns', high)}); one of them takes "
                    f"{r(name, 'bytes', high)} bytes (Go: {r(f'Go, by {what}, one thread', 'bytes', high)}).")
        yield sentence


def large(r):
    yield lambda: (f"p50 of a small call is {r('small calls alone', 'p50_us')} µs alone, beside large ones "
                   f"{r('small calls, 1 MiB calls on the same session', 'p50_us')} on the same session, "
                   f"{r('small calls, 1 MiB calls on another connection', 'p50_us')} on another connection; a large call alone takes "
                   f"{r('1 MiB calls alone', 'p50_us')}.")


def in_flight(r):
    yield lambda: (f"p99.9 of the ticker's lateness is {r('weft, one connection', 'late_p999_ms')} ms on one connection and "
                   f"{r('weft, two connections', 'late_p999_ms')} on two.")


def flood(r):
    yield lambda: (f"p99 is {r('weft, unloaded', 'p99_us')} µs unloaded, {r('weft, flood on the same worker', 'p99_us')} beside the flood on one "
                   f"worker, {r('weft, flood on a worker of its own', 'p99_us')} when the flood has a worker of its own.")


def idle(r):
    yield lambda: (f"A server of weft's takes {r('weft server', 'cpu_us_per_s')} µs of CPU a second, with spinning on "
                   f"{r('weft server, spin 50 us', 'cpu_us_per_s')}; a raw queue {r('raw_cq', 'cpu_us_per_s')}, grpc-go {r('grpc-go', 'cpu_us_per_s')}.")


def task(r):
    yield lambda: (f"To create, await and destroy a task takes {r('task_create_await_destroy', 'ns')} ns, Asio's awaitable "
                   f"{r('peer_asio_awaitable', 'ns')}.")


def strand(r):
    yield lambda: (f"A hop takes {r('hop_same_worker', 'ns')} ns on the same worker, {r('hop_other_worker_spinning', 'ns')} to one that spins and "
                   f"{r('hop_other_worker_sleeping', 'ns')} to one that sleeps.")


def timers(r):
    yield lambda: f"To arm and cancel a timer takes {r('timer_arm_cancel', 'ns')} ns."


ANSWERS = {f.__name__: f for f in (unary, session, local, memory, order, path, player, pool, limit, locks, workers, retry, fanout, scale,
                                   large, in_flight, flood, idle, task, strand, timers)}


def answers(result):
    """The sentences that a suite's rows allow; none of a run that is void."""
    if result.get("void") or result["suite"] not in ANSWERS:
        return []
    said = []
    for sentence in ANSWERS[result["suite"]](Rows(result["rows"])):
        try:
            said.append(sentence())
        except Missing:
            pass
    return said
