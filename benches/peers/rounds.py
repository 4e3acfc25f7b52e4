"""Checks that all sides name the same members, then measures them in interleaved rounds."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from statistics import median

import report
from driver import Driver, Ended, Peer, command
from engines import TITLES
from queries.common import LISTS

OURS = "hyperseg"
# What is measured: our operation, our text of the segment, and the peers' operation.
MODES = {"count": ("count", "count", "count"), "rows": ("run", "list", "rows")}


@dataclass
class Figures:
    """What was found for one segment."""

    name: str
    title: str
    counted: int = 0
    listed: int = 0
    # What differs, in words; empty when the members are the same.
    differences: list[str] = field(default_factory=list)
    # By side and mode, in the order of the rounds: milliseconds, and processor time of all threads.
    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    counters: dict[str, dict] = field(default_factory=dict)
    texts: dict[str, dict] = field(default_factory=dict)

    def took(self, side: str, mode: str, ms: float, cpu_ms: float) -> None:
        self.wall.setdefault(f"{side} {mode}", []).append(ms)
        self.cpu.setdefault(f"{side} {mode}", []).append(cpu_ms)

    def ms(self, side: str, mode: str, clock: str = "wall") -> float:
        return median(getattr(self, clock)[f"{side} {mode}"])

    def ratio(self, peer: str, mode: str, clock: str = "wall") -> float:
        """How many times as long the peer takes."""
        return self.ms(peer, mode, clock) / self.ms(OURS, mode, clock)

    def best(self, peers: list[str], mode: str, clock: str = "wall") -> str:
        """The peer that takes the least time."""
        return min(peers, key=lambda peer: self.ms(peer, mode, clock))


def compare(options) -> int:
    driver = Driver(options)
    if not driver.greeting["optimised"]:
        raise SystemExit(f"{options.driver} is a debug build; its times mean nothing")
    workload = driver.ask("workload")
    segments = [asked for asked in workload["segments"] if not options.only or asked["name"] in options.only]
    if not segments:
        raise SystemExit(f"--only: known are {', '.join(asked['name'] for asked in workload['segments'])}")
    peers, absent = started(options, driver.greeting["zone"])
    found = {asked["name"]: Figures(asked["name"], asked["title"]) for asked in segments}
    for asked in segments:
        check(driver, peers, asked, found[asked["name"]])
    for number in range(options.rounds):
        say(f"round {number + 1} of {options.rounds}")
        for asked in segments:
            measure(driver, peers, asked, found[asked["name"]], number)
    facts = surroundings(options, driver, peers) | {"absent": absent}
    figures = list(found.values())
    for one in figures:
        one.texts = {peer.name: peer.ask("text", name=one.name) for peer in peers}
    for side in [driver, *peers]:
        side.close()
    report.write(figures, facts)
    if options.json:
        options.json.write_text(json.dumps({**facts, "segments": [vars(one) for one in figures]}, indent=1))
    return 1 if absent or any(one.differences for one in figures) else 0


def started(options, zone: str) -> tuple[list[Peer], dict[str, str]]:
    """The peers, each in a process of its own, and those that did not start."""
    # The other engines' tables come out of DuckDB's database, which one process at a time may open.
    subprocess.run([str(part) for part in command("duckdb", options, zone)] + ["--export"], check=True)
    peers, absent = [], {}
    for engine in options.peers:
        say(f"starting {TITLES[engine]}")
        try:
            peers.append(Peer(engine, options, zone))
        except Ended as reason:
            say(str(reason))
            absent[engine] = str(reason)
    if not peers:
        raise SystemExit("no peer started")
    return peers, absent


def check(driver: Driver, peers: list[Peer], asked: dict, figures: Figures) -> None:
    """The numbers of the count, and the ids of both lists. It also warms all sides up."""
    name = asked["name"]
    figures.counted = driver.ask("count", segment=asked["count"])["matched"]
    ours = {which: driver.ask("members", segment=asked[which])["members"] for which in LISTS}
    figures.listed = len(ours["list"])
    for peer in peers:
        title = TITLES[peer.name]
        counted = peer.ask("count", name=name)["found"]
        if counted != figures.counted:
            figures.differences.append(f"count: hyperseg {figures.counted}, {title} {counted}")
        for which, ids in ours.items():
            theirs = peer.ask("members", name=name, which=which)
            if theirs["sha256"] != digest(ids):
                wanted = peer.ask("members", name=name, which=which, ids=True)["ids"]
                both = len(set(ids) & set(wanted))
                figures.differences.append(
                    f"{which}: hyperseg names {len(ids)}, {title} {len(wanted)}, {both} of them the same"
                )
    say(f"{name}: {figures.counted}, {'; '.join(figures.differences) or 'the same members'}")


def digest(ids: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


def measure(driver: Driver, peers: list[Peer], asked: dict, figures: Figures, number: int) -> None:
    """Every side once, one after the other; each round begins with another one."""
    sides = [driver, *peers]
    turn = number % len(sides)
    for mode, (op, text, theirs) in MODES.items():
        for side in sides[turn:] + sides[:turn]:
            if side is driver:
                before = driver.cpu_ms()
                reply = driver.ask(op, segment=asked[text])
                figures.took(OURS, mode, reply["ms"], driver.cpu_ms() - before)
                figures.counters[mode] = reply["counters"]
            else:
                reply = side.ask(theirs, name=asked["name"])
                figures.took(side.name, mode, reply["ms"], reply["cpu_ms"])


def surroundings(options, driver: Driver, peers: list[Peer]) -> dict:
    last = driver.ask("fsync", folder=str(options.dataset.resolve().parent))
    rss = driver.ask("count", segment="segment s where age >= 0")["peak_rss_bytes"]
    return {
        "hyperseg": driver.greeting,
        "hyperseg_peak_rss_bytes": rss,
        "fsync_ms": last["ms"],
        "fsync_bytes": last["bytes"],
        "peers": {peer.name: peer.greeting | peer.ask("memory") for peer in peers},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": options.threads,
        "rounds": options.rounds,
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
