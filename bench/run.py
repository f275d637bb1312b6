#!/usr/bin/env python3
"""Runs the suites of weft-bench and makes one report of them: `./dev bench`."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # --publish wants a clean tree
import report  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "release" / "bench"
RESULTS = HERE / "results"

# What the full run passes to a suite: one list for each time that it runs, its rows marked with the payload. --quick runs
# each once with --quick. By their rounds a full run takes 45 minutes and a quick one 7 on two cores that do nothing else.
FULL = {
    "unary": [["--seconds", "1.5"]],
    "session": [["--seconds", "1"], ["--seconds", "0.7", "--rounds", "3", "--payload", "256"],
                ["--seconds", "0.7", "--rounds", "3", "--payload", "4096"]],
}
# Suites of weft-microbench: a filter, and the question.
MICRO = {
    "task": ("^(task_|peer_asio|ok_).*", "what does a coroutine cost: create, await, destroy?"),
    "strand": ("^(post_|yield_|hop_).*", "what does it cost to hand work to a strand, and to change strands?"),
    "timers": ("^timer_.*", "what does a timer cost that is armed and cancelled?"),
}


class Trouble(Exception):
    """Something to tell the user, without a trace."""


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def suites():
    """Name -> question, in the order in which they run."""
    program = BUILD / "weft-bench"
    if not program.exists():
        raise Trouble(f"{program} is not built: ./dev build release")
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout
    found = {name: question for name, (_, question) in MICRO.items()}
    for line in listed.splitlines():
        name, question = line.split("\t")
        found[name] = question
    return found


def watched(command, environment):
    """Runs a command with its progress on stderr, its table held back. Gives the exit code."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    for line in process.stderr:
        if not re.search(r" weft: I ", line):
            sys.stderr.write("  " + line)
            sys.stderr.flush()
    return process.wait()


def from_microbench(document, suite):
    """Google Benchmark's repetitions as rows of ours."""
    times = {}
    for one in document["benchmarks"]:
        if one.get("run_type") == "iteration":
            if one.get("error_occurred"):
                times.setdefault(one["run_name"], []).append(one["error_message"])
                continue
            unit = {"ns": 1, "us": 1e3, "ms": 1e6}[one["time_unit"]]
            # Where an iteration is a burst the items say how many operations.
            ns = 1e9 / one["items_per_second"] if "items_per_second" in one else one["real_time"] * unit
            times.setdefault(one["run_name"], []).append(ns)
    rows = []
    for name, values in times.items():
        short = name.removesuffix("/real_time")
        row = {"name": short, "peer": short.startswith("peer_"), "concurrency": 1}
        bad = [v for v in values if isinstance(v, str)]
        if bad:
            row.update({"void": True, "error": bad[0]})
        else:
            values.sort()
            row["ns"] = {"median": values[len(values) // 2], "min": values[0], "max": values[-1]}
        rows.append(row)
    if not rows:
        raise Trouble(f"{suite}: weft-microbench has no such benchmark")
    return rows


def run_micro(suite, quick, scratch, environment):
    out = scratch / "micro.json"
    command = [BUILD / "weft-microbench", f"--benchmark_filter={MICRO[suite][0]}", f"--benchmark_out={out}",
               "--benchmark_out_format=json", f"--benchmark_repetitions={2 if quick else 7}",
               "--benchmark_enable_random_interleaving=true", f"--benchmark_min_time={0.05 if quick else 0.3}"]
    code = watched([str(c) for c in command], environment)
    if code != 0:
        raise Trouble(f"{suite}: weft-microbench ended with {code}")
    document = json.loads(out.read_text())
    return {"suite": suite, "rows": from_microbench(document, suite)}, 0


def run_suite(suite, quick, scratch, environment):
    if suite in MICRO:
        return run_micro(suite, quick, scratch, environment)
    result, worst = None, 0
    for flags in [["--quick"]] if quick else FULL.get(suite, [[]]):
        out = scratch / f"{suite}.json"
        out.unlink(missing_ok=True)
        code = watched([str(BUILD / "weft-bench"), suite, *flags, "--json", str(out)], environment)
        worst = max(worst, code)
        if not out.exists():
            raise Trouble(f"{suite}: weft-bench ended with {code} and wrote no rows")
        part = json.loads(out.read_text())
        if "--payload" in flags:
            for row in part["rows"]:
                row["payload"] = int(flags[flags.index("--payload") + 1])
        if result is None:
            result = part
        else:
            result["rows"] += part["rows"]
            if part.get("void"):
                result["void"] = part["void"]
    return result, worst


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        return (done.stdout or done.stderr).strip().splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "not there"


def debian_version(package):
    return output_of("dpkg-query", "-W", "-f=${Version}", package)


def circumstances(quick):
    """What a reader must know to compare figures."""
    changes = subprocess.run(["git", "status", "--porcelain", "--", ".", ":!bench/results", ":!bench/README.md"],
                             capture_output=True, text=True, cwd=ROOT)
    dirty = changes.returncode != 0 or changes.stdout.strip()
    return {
        "commit": output_of("git", "rev-parse", "HEAD") + ("-dirty" if dirty else ""),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "mode": "quick" if quick else "full",
        "os": platform.freedesktop_os_release().get("PRETTY_NAME", platform.platform()),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "load_before": [round(v, 2) for v in os.getloadavg()],
        "packages": {p: debian_version(p) for p in ("libgrpc++-dev", "libprotobuf-dev", "golang-go", "libcaf-dev",
                                                    "golang-google-grpc-dev", "libboost1.81-dev", "clang-19")},
    }


def times_of(folder, mode):
    """Seconds that each suite took when it last ran in this mode."""
    found = {}
    for path in folder.glob("*.json"):
        run = json.loads(path.read_text()).get("run", {})
        if run.get("mode") == mode and "took_s" in run:
            found[path.stem] = run["took_s"]
    return found


def to_go(left, last):
    """For the progress: how long the suites that are left took the last time; nothing when one has never run."""
    if not all(suite in last for suite in left):
        return ""
    return f", about {sum(last[suite] for suite in left) / 60:.0f} minutes to go, as last time"


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="./dev bench", formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__,
        epilog="Without suites all run. A row with an error is void, and makes the exit code 1; 2 is a wrong command line.\n"
               "build/release/bench/weft-bench SUITE --help tells the flags of one suite alone.")
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    parser.add_argument("--quick", action="store_true", help="do they work, in under 10 minutes; no figures to quote")
    parser.add_argument("--json", metavar="DIR", help="where SUITE.json goes (build/bench)")
    parser.add_argument("--report", metavar="DIR", help="where report.html, report.md and plots/ go (as --json)")
    parser.add_argument("--publish", action="store_true", help="a full run into bench/results, and its tables into bench/README.md")
    parser.add_argument("--list", action="store_true", help="the suites and the question of each")
    parser.add_argument("--peer", action="append", default=[], metavar="grpc-go=DIR",
                        help="another grpc-go: the GOPATH that has it and what it needs, vendored")
    return parser.parse_args(arguments)


def build_go(wanted):
    """The Go peers, of Debian's packages or of another GOPATH. False, and said why, when there is no Go."""
    gopath = "/usr/share/gocode"
    for one in wanted:
        name, _, where = one.partition("=")
        if name != "grpc-go" or not where:
            raise Trouble(f"--peer {one}: there is only --peer grpc-go=DIR")
        if not (pathlib.Path(where) / "src/google.golang.org/grpc").is_dir():
            raise Trouble(f"--peer {one}: no {where}/src/google.golang.org/grpc")
        gopath = str(pathlib.Path(where).resolve())
    script = HERE / "peers" / "build.sh"
    if not script.exists():
        return
    done = subprocess.run([str(script), str(BUILD / "peers"), gopath], stdout=sys.stderr)
    if done.returncode != 0:
        raise Trouble("the peers in Go could not be built (above)")


def main(arguments):
    o = parse(arguments)
    known = suites()
    if o.list:
        for name, question in known.items():
            print(f"{name:10} {question}")
        return 0
    for name in o.suites:
        if name not in known:
            raise Trouble(f"no suite \"{name}\"; there are: {', '.join(known)}")
    if o.publish and (o.quick or o.json or o.report):
        raise Trouble("--publish is a full run into bench/results; it takes no --quick, --json or --report")
    where = circumstances(o.quick)
    if o.publish and where["commit"].endswith("-dirty"):
        raise Trouble("--publish names the commit that it measures: commit first")
    build_go(o.peer)
    folder = RESULTS if o.publish else pathlib.Path(o.json or ROOT / "build" / "bench")
    folder.mkdir(parents=True, exist_ok=True)
    chosen = o.suites or list(known)
    last = times_of(folder, where["mode"])
    started, failed = time.monotonic(), []
    with tempfile.TemporaryDirectory() as scratch:
        for i, suite in enumerate(chosen, 1):
            note(f"{suite} ({i} of {len(chosen)}{to_go(chosen[i - 1:], last)}): {known[suite]}")
            began = time.monotonic()
            try:
                result, code = run_suite(suite, o.quick, pathlib.Path(scratch), os.environ)
            except Trouble as trouble:
                note(str(trouble))
                failed.append(suite)
                continue
            void = sum(1 for row in result["rows"] if row.get("void"))
            result.update({"question": known[suite], "run": where | {"exit": code, "took_s": round(time.monotonic() - began, 1)}})
            (folder / f"{suite}.json").write_text(report.to_json(result))
            if result.get("void"):
                note(f"{suite}: the run is void: {result['void']}")
            note(f"{suite}: {len(result['rows'])} rows, {void} void, in {time.monotonic() - began:.0f} s"
                 + (f"; it ended with {code}" if code else ""))
            if code:
                failed.append(suite)
    target = pathlib.Path(o.report) if o.report else folder
    page = report.write(folder, target, only=None if o.publish else chosen)
    if o.publish:
        report.update_readme(folder, HERE / "README.md")
    note(f"{len(chosen)} suites in {(time.monotonic() - started) / 60:.1f} minutes; the report is {page}")
    if failed:
        note("not all is well: " + ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Trouble as trouble:
        note(str(trouble))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
