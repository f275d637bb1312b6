"""check_table.py REPORT SCREENSHOT: whole games were played, hand, pile and chat are drawn where the client says, and no text
leaves its box."""
import json
import struct
import sys
import zlib

PAPER, TEXT = (250, 247, 237), (235, 237, 242)


def pixels(file):
    """Width, height and rows of RGB bytes of a PNG with 8 bits a channel."""
    data = open(file, "rb").read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at, packed, header = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    width, height, depth, colours, _, _, interlaced = header
    assert depth == 8 and colours in (2, 6) and not interlaced, header
    size = 3 if colours == 2 else 4
    raw, stride, rows, before = zlib.decompress(packed), width * size, [], bytearray(width * size)
    for y in range(height):
        how, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left, up, corner = (row[i - size] if i >= size else 0), before[i], (before[i - size] if i >= size else 0)
            if how == 1:
                row[i] = (row[i] + left) & 255
            elif how == 2:
                row[i] = (row[i] + up) & 255
            elif how == 3:
                row[i] = (row[i] + (left + up) // 2) & 255
            elif how == 4:
                p = left + up - corner
                nearest = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))[2]
                row[i] = (row[i] + nearest) & 255
        rows.append([tuple(row[x * size:x * size + 3]) for x in range(width)])
        before = row
    return width, height, rows


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 0 if sys.argv[1:] == ["--help"] else 2
    report = json.load(open(sys.argv[1]))
    width, height, rows = pixels(sys.argv[2])
    wrong = []

    def expect(what, holds):
        if not holds:
            wrong.append(what)

    def share(d, colour, near=40):
        inside = [rows[y][x] for y in range(int(d["y"]) + 1, int(d["y"] + d["h"]) - 1)
                  for x in range(int(d["x"]) + 1, int(d["x"] + d["w"]) - 1)]
        return sum(all(abs(a - b) <= near for a, b in zip(p, colour)) for p in inside) / len(inside)

    def drawn(kind):
        return [d for d in report["drawn"] if d["kind"] == kind]

    expect("two whole games", report["games"] >= 2)
    expect("a connection that broke was made again", report["connections"] >= 2)
    expect("moves, some of them while a line was typed", report["moves"] >= 10 and report["moves_while_typing"] >= 3)
    expect("lines said", report["said"] >= 2)
    expect("no text that overflows: %s" % report["overflows"], not report["overflows"])
    expect("the hand is drawn card by card", [d["card"] for d in drawn("hand")] == report["hand"] and len(report["hand"]) >= 4)
    visible = drawn("hand")[-1:]  # the others are partly covered
    expect("the last card of the hand is paper", all(share(d, PAPER) > 0.5 for d in visible))
    for left, right in zip(drawn("hand"), drawn("hand")[1:]):
        strip = dict(left, w=min(left["w"], right["x"] - left["x"]))
        expect("a card of the hand is paper", share(strip, PAPER, 70) > 0.4)
    expect("one pile, of paper", len(drawn("pile")) == 1 and share(drawn("pile")[0], PAPER) > 0.5)
    expect("chat lines", len(drawn("chat line")) >= 4)
    for line in drawn("chat line") + drawn("typed"):
        text = dict(line, w=max(8, line["text_w"]))
        expect("the line \"%s\" is there" % line["text"], 0.02 < share(text, TEXT, 90) < 0.7)
    expect("the table is green", share({"x": 30, "y": height * 0.45, "w": 60, "h": 60}, (18, 77, 56), 45) > 0.9)
    for what in wrong:
        print("check_table: not so: " + what, file=sys.stderr)
    print("%d games, %d won, %d moves (%d while typing), %d lines, %d frames, %d connections, pump at most %.2f ms" %
          (report["games"], report["wins"], report["moves"], report["moves_while_typing"], report["said"], report["frames"],
           report["connections"], report["worst_pump_ms"]))
    return 1 if wrong else 0


sys.exit(main())
