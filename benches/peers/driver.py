"""Speaks with a resident process: one line of JSON there, one back. hyperseg is one, every peer is one."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


class Ended(Exception):
    """The process is gone."""


class Process:
    def __init__(self, name: str, command: list, environment: dict | None = None):
        self.name = name
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | (environment or {}),
        )
        self.greeting = self.answer()

    def ask(self, op: str, **fields) -> dict:
        self.process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise Ended(f"{self.name} ended with code {self.process.wait()}")
        reply = json.loads(line)
        if "error" in reply:
            raise SystemExit(f"{self.name}: {reply['error']}")
        return reply

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Driver(Process):
    """hyperseg-driver."""

    def __init__(self, options):
        command = [options.driver, "--dataset", options.dataset, "--as-of", options.as_of, "--threads", options.threads]
        if options.keyring:
            command += ["--keyring", options.keyring]
        super().__init__("hyperseg-driver", command)

    def cpu_ms(self) -> float:
        """Processor time of all its threads so far; as Linux numbers the clocks of other processes."""
        return time.clock_gettime((~self.process.pid << 3) | 2) * 1e3


class Peer(Process):
    """An engine in `serve.py`."""

    def __init__(self, engine: str, options, zone: str):
        super().__init__(engine, command(engine, options, zone), environment(options.threads))


def command(engine: str, options, zone: str) -> list:
    return [
        # Nothing is written beside the sources.
        sys.executable, "-B", Path(__file__).with_name("serve.py"), engine,
        "--population", options.population.resolve(), "--cache", options.cache.resolve(), "--as-of", options.as_of,
        "--threads", options.threads, "--memory", options.memory, "--zone", zone,
    ]


def environment(threads: int) -> dict[str, str]:
    """How Polars, and the runtime of DataFusion, learn of their number of threads."""
    return {"POLARS_MAX_THREADS": str(threads), "TOKIO_WORKER_THREADS": str(threads)}
