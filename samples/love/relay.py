"""relay.py ADDRESS SECONDS: passes connections on to ADDRESS, and breaks the first one after so many seconds. Says where it listens."""
import selectors
import socket
import sys
import time


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 0 if sys.argv[1:] == ["--help"] else 2
    host, port = sys.argv[1].rsplit(":", 1)
    listener = socket.create_server(("127.0.0.1", 0))
    print("127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    other, first, breaks = {}, None, None

    def end(one):
        for s in (one, other.pop(one, None)):
            if s is not None:
                other.pop(s, None)
                waiting.unregister(s)
                s.close()

    while True:
        ready = waiting.select(0.1)
        if breaks is not None and time.monotonic() >= breaks:
            breaks = None
            if first in other:
                end(first)
                continue
        for key, _ in ready:
            s = key.fileobj
            if s is listener:
                player, gate = listener.accept()[0], socket.create_connection((host, int(port)))
                other[player], other[gate] = gate, player
                waiting.register(player, selectors.EVENT_READ)
                waiting.register(gate, selectors.EVENT_READ)
                if first is None:
                    first, breaks = player, time.monotonic() + float(sys.argv[2])
            elif s in other:
                try:
                    data = s.recv(65536)
                    if data:
                        other[s].sendall(data)
                    else:
                        end(s)
                except OSError:
                    end(s)


sys.exit(main())
