"""Speaks with `hyperseg-driver`: one line of JSON there, one back."""

import json
import subprocess
import time
from pathlib import Path


class Driver:
    def __init__(self, program: Path, dataset: Path, keyring: Path | None, as_of: str, threads: int):
        command = [program, "--dataset", dataset, "--as-of", as_of, "--threads", str(threads)]
        if keyring:
            command += ["--keyring", keyring]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.greeting = self.answer()

    def ask(self, op: str, **fields) -> dict:
        self.process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"hyperseg-driver ended with code {self.process.wait()}")
        reply = json.loads(line)
        if "error" in reply:
            raise SystemExit(f"hyperseg-driver: {reply['error']}")
        return reply

    def cpu_ms(self) -> float:
        """Processor time of all its threads so far; as Linux numbers the clocks of other processes."""
        return time.clock_gettime((~self.process.pid << 3) | 2) * 1e3

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
