"""The comparison as Markdown."""

from math import exp, log

from engines import TITLES

OURS = "hyperseg"


def write(figures: list, facts: dict) -> None:
    ours, peers = facts["hyperseg"], list(facts["peers"])
    versions = ", ".join(f"{TITLES[peer]} {facts['peers'][peer]['version']}" for peer in peers)
    print(
        f"hyperseg {ours['version']} (encrypted, generation {ours['generation']}, {ours['contacts']:,} contacts, "
        f"{ours['dataset_bytes'] / 1e9:.1f} GB) beside {versions} (plaintext), seen from {ours['as_of']} in "
        f"{ours['zone']}; {facts['machine']}, {facts['cores']} cores, {facts['threads']} threads each; medians of "
        f"{facts['rounds']} interleaved rounds, warm, in milliseconds; ratio: the best peer's time over hyperseg's.\n"
    )
    for mode in ("count", "rows"):
        table(figures, peers, mode, "wall", f"**{mode}**")
    print("Processor time, all threads (steadier than the clock on a machine that does other things as well):\n")
    for mode in ("count", "rows"):
        table(figures, peers, mode, "cpu", f"{mode}, processor")
    counters(figures, "count")
    counters(figures, "rows")
    held = ", ".join(f"{TITLES[peer]} {memory(facts['peers'][peer]['rss_bytes'])}" for peer in peers)
    print(
        f"A durable append of {facts['fsync_bytes']} bytes (write and fdatasync) takes {facts['fsync_ms']:.2f} ms "
        "beside the dataset; every count makes its audit records durable within its time, every list the sealed list as "
        f"well. Peak memory of hyperseg {memory(facts['hyperseg_peak_rss_bytes'])}; of Python with an engine's pages, "
        f"at the end: {held}."
    )
    for engine, reason in facts["absent"].items():
        print(f"\n**NOT MEASURED**: {TITLES[engine]}: {reason}")
    different = [one for one in figures if one.differences]
    for one in different:
        print(f"\n**DIFFERENT MEMBERS**: {one.title}: {'; '.join(one.differences)}")
    if not different:
        print("\nCounts are the same numbers and lists the same contacts on all sides (SHA-256 over the sorted ids).")


def table(figures: list, peers: list[str], mode: str, clock: str, heading: str) -> None:
    titles = " | ".join(TITLES[peer] for peer in peers)
    members = "members" if mode == "count" else "on the list"
    print(f"| {heading} | {members} | hyperseg | {titles} | best peer | ratio |")
    print(f"|---|---:|---:|{'---:|' * len(peers)}---|---:|")
    for one in figures:
        best = one.best(peers, mode, clock)
        number = one.counted if mode == "count" else one.listed
        times = [f"{one.ms(side, mode, clock):.1f}" for side in [OURS, *peers]]
        cells = [one.title, f"{number:,}", *times, TITLES[best], ratio(one.ratio(best, mode, clock))]
        print(f"| {' | '.join(cells)} |")
    means = [f"{geometric(one.ratio(peer, mode, clock) for one in figures):.2f}×" for peer in peers]
    best = geometric(one.ratio(one.best(peers, mode, clock), mode, clock) for one in figures)
    print(f"| geometric mean of ratios | | | {' | '.join(means)} | **best** | **{best:.2f}×** |\n")


def ratio(found: float) -> str:
    # Less than half as long again is a tie.
    return f"{found:.2f}×{' (tie)' if 1 / 1.5 < found < 1.5 else ''}"


def counters(figures: list, mode: str) -> None:
    names = [name for name in figures[0].counters[mode] if name != "elapsed_ms"]
    print(f"Counters of hyperseg, {mode}:\n")
    print(f"| segment | {' | '.join(name.replace('_', ' ') for name in names)} |")
    print(f"|---|{'---:|' * len(names)}")
    for one in figures:
        cells = [figure(one.counters[mode].get(name)) for name in names]
        print(f"| {one.title} | {' | '.join(cells)} |")
    print()


def figure(value) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def geometric(ratios) -> float:
    logs = [log(ratio) for ratio in ratios]
    return exp(sum(logs) / len(logs))


def memory(found: int | None) -> str:
    return "unknown" if found is None else f"{found / 2**20:,.0f} MiB"
