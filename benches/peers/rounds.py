"""Checks that both sides name the same members, then measures them in interleaved rounds."""

import hashlib
import json
import os
import platform
import sys
import time
from dataclasses import dataclass, field
from statistics import median

import duckdb

import report
from clock import Clock
from driver import Driver
from duck import open_database, uncompressed
from queries import Query, approachable, queries


@dataclass
class Figures:
    """What was found for one segment."""

    name: str
    title: str
    counted: int = 0
    listed: int = 0
    # What differs, in words; empty when the members are the same.
    differences: list[str] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)
    counters: dict[str, dict] = field(default_factory=dict)

    def took(self, what: str, ms: float) -> None:
        self.samples.setdefault(what, []).append(ms)

    def ms(self, what: str) -> float:
        return median(self.samples[what])

    def ratio(self, mode: str) -> float:
        """How many times as long DuckDB takes."""
        return self.ms(f"duckdb {mode}") / self.ms(f"hyperseg {mode}")


class Peer:
    """DuckDB with the population."""

    def __init__(self, options, clock: Clock):
        self.connection = open_database(options.population, options.cache, options.threads, options.memory, say)
        self.queries = queries(self.connection, clock)
        # Who may be approached is worked out beforehand, which hyperseg does for every list anew.
        with uncompressed(self.connection):
            self.contacts = approachable(self.connection, clock, "operations", "email")
            self.everyone = approachable(self.connection, clock, "treatment", "push")
            self.connection.execute("checkpoint")

    def count(self, query: Query) -> tuple[int, float]:
        self.connection.execute(query.settings_sql())
        started = time.perf_counter()
        ((found,),) = self.connection.execute(query.count_sql()).fetchall()
        return found, (time.perf_counter() - started) * 1e3

    def rows(self, query: Query) -> tuple[int, float]:
        self.connection.execute(query.settings_sql())
        started = time.perf_counter()
        table = self.connection.sql(query.rows_sql(self.contacts)).to_arrow_table()
        return table.num_rows, (time.perf_counter() - started) * 1e3

    def sql(self, name: str) -> dict[str, str]:
        query = self.queries[name]
        texts = {"settings": query.settings_sql(), "count": query.count_sql(), "rows": query.rows_sql(self.contacts)}
        return {what: " ".join(text.split()) for what, text in texts.items()}

    def members(self, query: Query, contacts: str) -> list[str]:
        found = self.connection.sql(query.rows_sql(contacts, "contact_id")).to_arrow_table()
        return found.column("contact_id").to_pylist()


def compare(options) -> int:
    driver = Driver(options.driver, options.dataset, options.keyring, options.as_of, options.threads)
    if not driver.greeting["optimised"]:
        raise SystemExit(f"{options.driver} is a debug build; its times mean nothing")
    peer = Peer(options, Clock(options.as_of, driver.greeting["zone"]))
    workload = driver.ask("workload")
    segments = [asked for asked in workload["segments"] if not options.only or asked["name"] in options.only]
    if not segments:
        raise SystemExit(f"--only: known are {', '.join(asked['name'] for asked in workload['segments'])}")
    found = {asked["name"]: Figures(asked["name"], asked["title"]) for asked in segments}
    for asked in segments:
        check(driver, peer, asked, found[asked["name"]])
    for number in range(options.rounds):
        say(f"round {number + 1} of {options.rounds}")
        for asked in segments:
            measure(driver, peer, asked, found[asked["name"]], number % 2 == 1)
    facts = surroundings(options, driver)
    driver.close()
    figures = list(found.values())
    report.write(figures, facts)
    if options.json:
        samples = [{**vars(one), "sql": peer.sql(one.name)} for one in figures]
        options.json.write_text(json.dumps({**facts, "segments": samples}, indent=1))
    return 1 if any(one.differences for one in figures) else 0


def check(driver: Driver, peer: Peer, asked: dict, figures: Figures) -> None:
    """The numbers of the count, and the ids of both lists. It also warms both sides up."""
    query = peer.queries[asked["name"]]
    ours = driver.ask("count", segment=asked["count"])
    theirs, _ = peer.count(query)
    figures.counted = ours["matched"]
    if ours["matched"] != theirs:
        figures.differences.append(f"count: hyperseg {ours['matched']}, DuckDB {theirs}")
    for text, contacts in (("list", peer.contacts), ("everyone", peer.everyone)):
        listed = driver.ask("members", segment=asked[text])["members"]
        wanted = peer.members(query, contacts)
        if text == "list":
            figures.listed = len(listed)
        if digest(listed) != digest(wanted):
            both = len(set(listed) & set(wanted))
            figures.differences.append(
                f"{text}: hyperseg names {len(listed)}, DuckDB {len(wanted)}, {both} of them the same"
            )
    say(f"{asked['name']}: {figures.counted}, {'; '.join(figures.differences) or 'the same members'}")


def digest(ids: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


def measure(driver: Driver, peer: Peer, asked: dict, figures: Figures, peer_first: bool) -> None:
    query = peer.queries[asked["name"]]

    def ours(mode: str, op: str, text: str) -> None:
        before = driver.cpu_ms()
        reply = driver.ask(op, segment=asked[text])
        figures.took(f"hyperseg {mode}", reply["ms"])
        figures.took(f"hyperseg {mode} cpu", driver.cpu_ms() - before)
        figures.counters[mode] = reply["counters"]

    def theirs(mode: str, run) -> None:
        before = time.process_time()
        figures.took(f"duckdb {mode}", run(query)[1])
        figures.took(f"duckdb {mode} cpu", (time.process_time() - before) * 1e3)

    for mode, op, text, run in (("count", "count", "count", peer.count), ("rows", "run", "list", peer.rows)):
        sides = [lambda: ours(mode, op, text), lambda: theirs(mode, run)]
        for side in reversed(sides) if peer_first else sides:
            side()


def surroundings(options, driver: Driver) -> dict:
    last = driver.ask("fsync", folder=str(options.dataset.resolve().parent))
    rss = driver.ask("count", segment="segment s where age >= 0")["peak_rss_bytes"]
    return {
        "hyperseg": driver.greeting,
        "hyperseg_peak_rss_bytes": rss,
        "fsync_ms": last["ms"],
        "fsync_bytes": last["bytes"],
        "duckdb": duckdb.__version__,
        "duckdb_rss_bytes": own_rss_bytes(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": options.threads,
        "rounds": options.rounds,
    }


def own_rss_bytes() -> int | None:
    """What this process, DuckDB's pages among it, holds now; None where the kernel does not say."""
    try:
        with open("/proc/self/status") as status:
            lines = [line for line in status if line.startswith("VmRSS:")]
        return int(lines[0].split()[1]) * 1024
    except (OSError, IndexError):
        return None


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
