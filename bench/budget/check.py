#!/usr/bin/env python3
"""Counts the instructions of the hot paths with callgrind, against bench/budget/budgets.json: `./dev budget`.

Times are noisy where CI runs; these counts are the same each time. A path that has grown by more than 5% fails; one that
has shrunk by more says so, and --update writes what was counted."""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = HERE.parent.parent / "build" / "release" / "bench" / "weft-budget"
BUDGETS = HERE / "budgets.json"
MARGIN = 0.05
FEW, MANY = 1_000, 6_000  # the difference leaves out starting and ending


def instructions(path, times):
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={scratch}/out", str(PROGRAM), path, str(times)],
                              capture_output=True, text=True)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not counted:
        sys.exit(f"budget: {path}: valgrind ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return int(counted.group(1))


def main():
    parser = argparse.ArgumentParser(prog="./dev budget", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write what was counted; say in the commit why it changed")
    o = parser.parse_args()
    if not PROGRAM.exists():
        sys.exit(f"budget: {PROGRAM} is not built: ./dev build release")
    paths = subprocess.run([PROGRAM, "--list"], capture_output=True, text=True, check=True).stdout.split()
    budgets = json.loads(BUDGETS.read_text()) if BUDGETS.exists() else {}
    counted, over = {}, []
    print(f"{'instructions of':20} {'counted':>9} {'budget':>9}")
    for path in paths:
        count = counted[path] = round((instructions(path, MANY) - instructions(path, FEW)) / (MANY - FEW), 1)
        budget = budgets.get(path)
        remark = ""
        if budget is None:
            over.append(path)
            remark = "NO BUDGET"
        elif count > budget * (1 + MARGIN):
            over.append(path)
            remark = f"OVER by {count / budget - 1:.1%}"
        elif count < budget * (1 - MARGIN):
            remark = f"below by {1 - count / budget:.1%}: --update keeps the gain"
        print(f"{path:20} {count:9} {budget if budget is not None else '-':>9}  {remark}", flush=True)
    missing = sorted(set(budgets) - set(paths))
    if o.update:
        BUDGETS.write_text(json.dumps(counted, indent=2) + "\n")
        print(f"written to {BUDGETS}")
        return 0
    if over or missing:
        print("budget: over by more than 5%, or without a budget, or not there: " + ", ".join(over + missing), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
