"""An engine as a process of its own: one JSON request per line in, one JSON answer per line out, as hyperseg-driver.

    {"op": "count", "name": "birthday"}
    {"op": "rows", "name": "birthday"}
    {"op": "members", "name": "birthday", "which": "list"}     with "ids": true also the ids
    {"op": "text", "name": "birthday"}
    {"op": "memory"}

`compare.py` starts it. `ms` is the time from the query's text or expression to the number or the Arrow table.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path

from clock import Clock


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine")
    parser.add_argument("--population", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--memory", required=True)
    parser.add_argument("--as-of", required=True)
    parser.add_argument("--zone", required=True)
    parser.add_argument("--export", action="store_true", help="write what the other engines load from, and end")
    options = parser.parse_args()
    options.say = lambda text: print(f"{options.engine}: {text}", file=sys.stderr, flush=True)
    return options


def main() -> None:
    options = arguments()
    # What an engine prints on its own must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module = import_module(f"engines.{options.engine}")
    if options.export:
        module.numbered(options)
        return
    started = time.monotonic()
    engine = module.Engine(options, Clock(options.as_of, options.zone))
    reply = {"version": engine.version, "ready_s": time.monotonic() - started}
    while True:
        answers.write(json.dumps(reply) + "\n")
        answers.flush()
        line = sys.stdin.readline()
        if not line:
            break
        reply = serve(engine, json.loads(line))
    # Some engines wait for their threads, or fall over them, when Python ends in the usual way.
    answers.close()
    os._exit(0)


def serve(engine, asked: dict) -> dict:
    name = asked.get("name")
    match asked["op"]:
        case "count":
            return timed(engine, name, engine.count, int)
        case "rows":
            return timed(engine, name, engine.rows, lambda table: table.num_rows)
        case "members":
            engine.prepare(name)
            ids = sorted(engine.members(name, asked["which"]).to_pylist())
            reply = {"found": len(ids), "sha256": hashlib.sha256("\n".join(ids).encode()).hexdigest()}
            return reply | ({"ids": ids} if asked.get("ids") else {})
        case "text":
            return {what: " ".join(text.split()) for what, text in engine.text(name).items()}
        case "memory":
            return {"rss_bytes": rss_bytes()}
        case other:
            raise SystemExit(f"unknown op {other}")


def timed(engine, name: str, run, number) -> dict:
    engine.prepare(name)
    cpu, started = time.process_time(), time.perf_counter()
    found = run(name)
    took, worked = time.perf_counter() - started, time.process_time() - cpu
    return {"found": number(found), "ms": took * 1e3, "cpu_ms": worked * 1e3}


def rss_bytes() -> int | None:
    """What this process holds now, pages of files among it; None where the kernel does not say."""
    try:
        with open("/proc/self/status") as status:
            lines = [line for line in status if line.startswith("VmRSS:")]
        return int(lines[0].split()[1]) * 1024
    except (OSError, IndexError):
        return None


if __name__ == "__main__":
    main()
