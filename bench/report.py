#!/usr/bin/env python3
"""Makes the report of bench/run.py's results: one HTML file with its plots inside, Markdown tables, plots as SVG files.

usage: report.py DIR [TARGET]    of the SUITE.json in DIR, into TARGET (DIR)"""

import html
import json
import math
import pathlib
import re
import sys

sys.dont_write_bytecode = True
from answers import answers, middle, short  # noqa: E402

# suite -> its plots: (kind, field of y, title, label of x, which rows). Lines have `concurrency` on the x axis, bars a row each.
PLOTS = {
    "unary": [("line", "calls_per_s", "Unary calls a second", "calls outstanding"),
              ("line", "p99_us", "p99 latency, µs", "calls outstanding")],
    "session": [("line", "calls_per_s", "Calls a second", "calls outstanding"),
                ("line", "p99_us", "p99 latency, µs", "calls outstanding")],
    "order": [("bar", "inversions", "Steps overtaken by a later one of their player", "")],
    "pool": [("line", "calls_per_s", "Calls a second", "connections"), ("line", "p99_us", "p99 latency, µs", "connections"),
             ("line", "inversions", "Inversions", "connections")],
    "path": [("line", "p99_us", "p99 from the intended send time, µs", "frames a second offered"),
             ("line", "calls_per_s", "Replies a second", "frames a second offered")],
    "locks": [("line", "ns", "Nanoseconds a section, all told", "ns inside the critical section")],
    "large": [("bar", "p50_us", "p50 latency, µs", ""), ("bar", "p99_us", "p99 latency, µs", "")],
    "local": [("bar", "ns", "Nanoseconds a call", "")],
    "memory": [("bar", "bytes", "Bytes a suspended player", "")],
    "idle": [("bar", "cpu_us_per_s", "CPU time a second of doing nothing, µs", "")],
    "task": [("bar", "ns", "Nanoseconds", "")],
    "strand": [("bar", "ns", "Nanoseconds", "")],
    "timers": [("bar", "ns", "Nanoseconds", "")],
    "player": [("line", "p99_us", "p99 of a card from when it was due, µs", "ms that chat takes"),
               ("line", "overtaken", "Cards overtaken", "ms that chat takes")],
    "retry": [("bar", "errors", "Errors that callers saw", ""), ("bar", "run_twice", "Calls that ran twice", ""),
              ("bar", "calls_per_s", "Calls a second while all is well", "")],
    "fanout": [("line", "ns_per_receiver", "CPU of an event for each receiver, ns", "receivers"),
               ("line", "p99_us", "p99 of those who read, from when it was due, µs", "receivers"),
               ("line", "room_us", "The room is busy with an event, µs", "receivers")],
    "limit": [("line", "calls_per_s", "Calls a second", "n, calls in flight"),
              ("line", "p99_us", "p99 of 512 callers, µs", "n, calls in flight")],
    "scale": [("line", "ns", "A message and its call, ns", "players, or services"),
              ("line", "bytes", "Bytes of one of them", "players, or services")],
    "workers": [("bar", "calls_per_s", "Calls a second", ""), ("bar", "handlers", "Handlers at a time", "")],
    "in_flight": [("bar", "late_p999_ms", "p99.9 of a ticker's lateness, ms", "")],
    "flood": [("bar", "p99_us", "p99 latency of the other service, µs", "")],
}
# What the rows of a suite have side by side in `concurrency`, where it is not calls that are out.
AT = {"path": "frames/s", "player": "chat, ms", "fanout": "receivers", "limit": "n", "scale": "how many", "pool": "connections",
      "locks": "ns inside", "retry": "calls out, or a second"}
# Columns of the tables, in this order: field, heading.
COLUMNS = [("calls_per_s", "calls/s"), ("p50_us", "p50 µs"), ("p99_us", "p99 µs"), ("max_us", "max µs"), ("ns", "ns"),
           ("cpu_us_client", "client CPU µs"), ("cpu_us_server", "server CPU µs"),
           ("wire_bytes", "wire bytes"), ("allocations_client", "client allocations"), ("allocations_server", "server allocations"),
           ("bytes", "bytes")]
COLOURS = ["#1f6feb", "#0a8f5b", "#d1495b", "#b8860b", "#7a5cd6", "#0e8fa3", "#c2571a", "#8a8f98", "#a83f8f", "#5b7a1e"]
DASHES = ["", "6 3", "2 3", "8 3 2 3"]
STYLE = """
svg{--ink:#1d2329;--dim:#69727d;--rule:#d9dee4;font:12px system-ui,sans-serif}
svg text{fill:var(--ink)} svg .dim{fill:var(--dim)} svg .rule{stroke:var(--rule);stroke-width:1}
@media(prefers-color-scheme:dark){svg{--ink:#e4e9ee;--dim:#98a2ad;--rule:#333b44}}"""


def ends(row, field):
    value = row.get(field)
    return (value["min"], value["max"]) if isinstance(value, dict) and "min" in value else None


def to_json(result):
    """One row a line, so that a difference is readable."""
    head = {k: v for k, v in result.items() if k != "rows"}
    rows = ",\n".join("  " + json.dumps(row) for row in result["rows"])
    return json.dumps(head, indent=1)[:-2] + f',\n "rows": [\n{rows}\n ]\n}}\n'


def title_of(row):
    name = row["name"]
    return f"{name}, {row['payload']} bytes" if "payload" in row else name


def colours_of(rows):
    """A colour and a dash for each name; weft's come first and are solid."""
    names = list(dict.fromkeys(title_of(r) for r in sorted(rows, key=lambda r: r["peer"])))
    return {n: (COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]) for i, n in enumerate(names)}


def ticks(low, high):
    """Powers of ten, with 2 and 5 between them when there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1,) if last - first > 3 else (1, 2, 5)
    return [s * 10**e for e in range(first, last + 1) for s in steps if low <= s * 10**e <= high]


def line_plot(rows, field, title, x_label):
    """SVG and legend. Both axes are logarithmic; whiskers are the least and the most of the rounds."""
    rows = [r for r in rows if middle(r, field) is not None and r["concurrency"] is not None]
    if not rows:
        return "", []
    xs = sorted({r["concurrency"] for r in rows})
    logarithmic = min(xs) > 0 and len(xs) > 1 and max(xs) / min(xs) > 4
    values = [v for r in rows for v in (middle(r, field), *(ends(r, field) or ()))]
    zero = min(values) <= 0
    low, high = (0, max(max(values), 1) * 1.05) if zero else (min(values) / 1.3, max(values) * 1.3)
    width, height, left, right, top, bottom = 480, 320, 54, 12, 34, 44
    def x(v):
        if len(xs) == 1:
            return (left + width - right) / 2
        if logarithmic:
            part = math.log(v / xs[0]) / math.log(xs[-1] / xs[0])
        else:
            part = xs.index(v) / (len(xs) - 1)
        return left + 14 + part * (width - left - right - 28)
    def y(v):
        part = v / high if zero else math.log(v / low) / math.log(high / low)
        return height - bottom - part * (height - top - bottom)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(title)}">',
           f'<style>{STYLE}</style><text x="{left}" y="18" font-weight="600" font-size="14">{html.escape(title)}</text>']
    for t in ([high * i / 4 for i in range(5)] if zero else ticks(low, high)):
        out.append(f'<line class="rule" x1="{left}" x2="{width - right}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
                   f'<text class="dim" x="{left - 6}" y="{y(t) + 4:.1f}" text-anchor="end">{short(t)}</text>')
    for v in xs:
        out.append(f'<text class="dim" x="{x(v):.1f}" y="{height - bottom + 18}" text-anchor="middle">{short(v)}</text>')
    out.append(f'<text class="dim" x="{(left + width) / 2}" y="{height - 8}" text-anchor="middle">{html.escape(x_label)}</text>')
    styles, legend = colours_of(rows), []
    for name in sorted(styles, key=lambda n: -list(styles).index(n)):  # weft's on top
        mine = sorted((r for r in rows if title_of(r) == name), key=lambda r: r["concurrency"])
        colour, dash = styles[name]
        thick = 1.6 if mine[0]["peer"] else 3
        points = " ".join(f"{x(r['concurrency']):.1f},{y(middle(r, field)):.1f}" for r in mine)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{thick}" '
                   f'stroke-dasharray="{dash}" stroke-linejoin="round"/>')
        for r in mine:
            px, py = x(r["concurrency"]), y(middle(r, field))
            if ends(r, field):
                a, b = ends(r, field)
                out.append(f'<line x1="{px:.1f}" x2="{px:.1f}" y1="{y(a):.1f}" y2="{y(b):.1f}" stroke="{colour}" opacity=".45"/>')
            out.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="{thick + 1.2}" fill="{colour}"><title>{html.escape(name)}, '
                       f'{short(r["concurrency"])}: {short(middle(r, field))}</title></circle>')
        legend.append((name, colour, dash, mine[0]["peer"]))
    out.append("</svg>")
    # In the order in which the lines end, so that the legend reads like the plot.
    last = {n: max((r for r in rows if title_of(r) == n), key=lambda r: r["concurrency"]) for n in styles}
    legend.sort(key=lambda entry: -middle(last[entry[0]], field))
    return "\n".join(out), legend


def bar_plot(rows, field, title):
    rows = [r for r in rows if middle(r, field) is not None]
    if not rows:
        return "", []
    several = len({r["concurrency"] for r in rows}) > 1
    values = [middle(r, field) for r in rows]
    positive = [v for v in values if v > 0]
    logarithmic = len(positive) == len(values) and max(positive) / min(positive) > 30
    high = max(values + [1e-9])
    low = min(positive, default=1) / 2
    width, step, top = 480, 40, 34
    height = top + step * len(rows) + 8
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(title)}">',
           f'<style>{STYLE}</style><text x="0" y="18" font-weight="600" font-size="14">{html.escape(title)}'
           f'{" (logarithmic)" if logarithmic else ""}</text>']
    for i, (r, v) in enumerate(zip(rows, values)):
        part = math.log(v / low) / math.log(high / low) if logarithmic else max(v, 0) / high
        length = max(2, part * (width - 80))
        name = title_of(r) + (f", {short(r['concurrency'])}" if several else "")
        at = top + i * step
        out.append(f'<text x="0" y="{at + 12}">{html.escape(name)}</text>'
                   f'<rect x="0" y="{at + 17}" width="{length:.1f}" height="13" rx="3" fill="{COLOURS[7] if r["peer"] else COLOURS[0]}"/>'
                   f'<text x="{length + 7:.1f}" y="{at + 28}" class="dim">{short(v)}</text>')
    out.append("</svg>")
    return "\n".join(out), []


def plots_of(result):
    """(file name, SVG, legend) for each plot of a suite that has figures."""
    rows = [r for r in result["rows"] if not r.get("void") and r.get("payload", 32) == 32]
    found = []
    for kind, field, title, label in PLOTS.get(result["suite"], []):
        svg, legend = line_plot(rows, field, title, label) if kind == "line" else bar_plot(rows, field, title)
        if svg:
            found.append((f"{result['suite']}_{field}.svg", svg, legend))
    return found


def table_of(result):
    """Heading and rows of cells. Figures are medians, calls/s with least and most."""
    rows = result["rows"]
    fields = [f for f in COLUMNS if any(middle(r, f[0]) is not None for r in rows)]
    known = {f for f, _ in COLUMNS}
    others = list(dict.fromkeys(k for r in rows for k, v in r.items() if k not in known and isinstance(v, dict)
                                and k not in ("ratio",)))
    several = len({r["concurrency"] for r in rows}) > 1
    ratios = list(dict.fromkeys(k for r in rows for k in r.get("ratio", {})))
    heads = ["", *([AT.get(result["suite"], "calls out")] if several else []), *(h for _, h in fields), *(o.replace("_", " ") for o in others),
             *(f"of {n}" for n in ratios)]
    cells = []
    for r in rows:
        line = [title_of(r) + (" (peer)" if r["peer"] else "")] + ([short(r["concurrency"])] if several else [])
        if r.get("void"):
            cells.append((r["peer"], line + [f"void: {r['error']}"] + [""] * (len(heads) - len(line) - 1)))
            continue
        for field in [f for f, _ in fields] + others:
            v = middle(r, field)
            text = "" if v is None else short(v)
            if field in ("calls_per_s", "ns") and ends(r, field) and ends(r, field)[0] != ends(r, field)[1]:
                a, b = ends(r, field)
                text += f" ({short(a)}–{short(b)})"
            line.append(text)
        line += [f"{r['ratio'][n]:.2f}" if n in r.get("ratio", {}) else "" for n in ratios]
        cells.append((r["peer"], line))
    return heads, cells


def machine_line(result):
    run = result.get("run", {})
    commit = run.get("commit", "?")
    parts = [result.get("machine"), run.get("os"), *(f"{k} {v}" for k, v in sorted(result.get("versions", {}).items())),
             f"commit {commit[:12]}{'-dirty' if commit.endswith('-dirty') else ''}", run.get("date"),
             f"{run.get('mode', '?')} run", f"load before {run['load_before'][0]}" if "load_before" in run else None]
    return " · ".join(p for p in parts if p)


def why_void(result):
    """What is wrong with a run as a whole; empty when nothing is."""
    return f"This run is void: {result['void']}." if result.get("void") else ""


def to_markdown(result, plots_at=None):
    heads, cells = table_of(result)
    lines = [f"**{why_void(result)}**", ""] if result.get("void") else []
    lines += [*(f"- {a}" for a in answers(result)), ""] if answers(result) else []
    lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for _, line in cells]
    if plots_at:
        lines += [""] + [f"![{name.removesuffix('.svg')}]({plots_at}/{name})" for name, _, _ in plots_of(result)]
    lines += ["", f"<sub>{machine_line(result)}</sub>"]
    return "\n".join(lines)


PAGE_STYLE = """
:root{--paper:#fff;--ink:#1d2329;--dim:#69727d;--rule:#d9dee4;--weft:#eef4ff}
@media(prefers-color-scheme:dark){:root{--paper:#14181d;--ink:#e4e9ee;--dim:#98a2ad;--rule:#333b44;--weft:#1b2636}}
*{box-sizing:border-box}body{margin:0 auto;max-width:68rem;padding:1rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}h1{margin:.2em 0}h2{margin:2.5rem 0 .3rem;border-top:1px solid var(--rule);padding-top:1.2rem}
nav{display:flex;flex-wrap:wrap;gap:.3rem .9rem}a{color:#1f6feb}@media(prefers-color-scheme:dark){a{color:#79aeff}}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.2rem;margin:1rem 0}
figure{margin:0}figure{max-width:40rem}svg{width:100%;height:auto}figcaption{display:flex;flex-wrap:wrap;gap:.1rem .9rem;font-size:.8rem;color:var(--dim)}
figcaption i{display:inline-block;width:1.4em;margin-right:.4em;vertical-align:middle;border-top:3px solid}
figcaption b{color:var(--ink);font-weight:600}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;white-space:nowrap}
td,th{padding:.25rem .7rem;border-bottom:1px solid var(--rule);text-align:right}td:first-child,th:first-child{text-align:left;
position:sticky;left:0;background:var(--paper)}tr.weft td{background:var(--weft)}.dim,small{color:var(--dim)}"""


def section(result):
    out = [f'<h2 id="{result["suite"]}">{html.escape(result["suite"])}</h2><p>{html.escape(result.get("question", ""))}</p>']
    if result.get("run", {}).get("exit"):
        out.append("<p><b>This suite did not keep its promise, or has a void row.</b></p>")
    if result.get("void"):
        out.append(f"<p><b>{html.escape(why_void(result))}</b></p>")
    if answers(result):
        out.append("<ul>" + "".join(f"<li>{html.escape(a)}</li>" for a in answers(result)) + "</ul>")
    out.append('<div class="plots">')
    for _, svg, legend in plots_of(result):
        key = "".join(f'<span><i style="border-color:{c};border-top-style:{"dashed" if d else "solid"}"></i>'
                      f'{html.escape(n) if peer else "<b>" + html.escape(n) + "</b>"}</span>' for n, c, d, peer in legend)
        out.append(f"<figure>{svg}<figcaption>{key}</figcaption></figure>")
    heads, cells = table_of(result)
    out.append('</div><div class="scroll"><table><tr>' + "".join(f"<th>{html.escape(h)}</th>" for h in heads) + "</tr>")
    for peer, line in cells:
        out.append(f'<tr{"" if peer else " class=weft"}>' + "".join(f"<td>{html.escape(c)}</td>" for c in line) + "</tr>")
    out.append(f"</table></div><p><small>{html.escape(machine_line(result))}</small></p>")
    return "\n".join(out)


def to_html(results):
    nav = "".join(f'<a href="#{r["suite"]}">{r["suite"]}</a>' for r in results)
    quick = any(r.get("run", {}).get("mode") == "quick" for r in results)
    warning = "<p><b>A quick run: it shows that everything works, not how fast it is.</b></p>" if quick else ""
    return ("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'>"
            f"<title>weft: benchmarks</title><style>{PAGE_STYLE}</style><h1>weft: benchmarks</h1>"
            "<p>Figures are medians of interleaved rounds, whiskers and brackets the least and the most. Rows of weft are shaded; "
            f"thick lines are weft, thin ones peers. Compare within one suite.</p>{warning}<nav>{nav}</nav>"
            + "\n".join(section(r) for r in results) + "</html>\n")


def load(folder, only=None):
    order = list(PLOTS)
    found = [json.loads(p.read_text()) for p in sorted(pathlib.Path(folder).glob("*.json"))]
    found = [r for r in found if "rows" in r and (only is None or r["suite"] in only)]
    return sorted(found, key=lambda r: order.index(r["suite"]) if r["suite"] in order else len(order))


def write(folder, target, only=None):
    """Gives the path of the page."""
    target = pathlib.Path(target)
    results = load(folder, only)
    (target / "plots").mkdir(parents=True, exist_ok=True)
    for r in results:
        for name, svg, _ in plots_of(r):
            (target / "plots" / name).write_text(svg)
    (target / "report.md").write_text("\n\n".join(f"## {r['suite']}\n{r.get('question', '')}\n\n{to_markdown(r, 'plots')}"
                                                  for r in results) + "\n")
    page = target / "report.html"
    page.write_text(to_html(results))
    return page


def update_readme(folder, readme):
    """Puts each suite's table and plots between its marks; a suite without marks stays out, and marks without results stay."""
    text = readme.read_text()
    for r in load(folder):
        mark, end = f"<!-- bench: {r['suite']} -->", f"<!-- end: {r['suite']} -->"
        text = re.sub(re.escape(mark) + ".*?" + re.escape(end),
                      lambda _, r=r, mark=mark, end=end: f"{mark}\n{to_markdown(r, 'results/plots')}\n{end}", text, flags=re.S)
    readme.write_text(text)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1] in ("-h", "--help"):
        print(__doc__, file=sys.stdout if "--help" in sys.argv or "-h" in sys.argv else sys.stderr)
        sys.exit(0 if "--help" in sys.argv or "-h" in sys.argv else 2)
    if not pathlib.Path(sys.argv[1]).is_dir():
        sys.exit(f"report: no such folder: {sys.argv[1]}")
    print(write(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else sys.argv[1]))
