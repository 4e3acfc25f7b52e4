"""The comparison as Markdown."""

from math import exp, log


def write(figures: list, facts: dict) -> None:
    ours = facts["hyperseg"]
    print(
        f"hyperseg {ours['version']} (encrypted, generation {ours['generation']}, {ours['contacts']:,} contacts, "
        f"{ours['dataset_bytes'] / 1e9:.1f} GB) beside DuckDB {facts['duckdb']} (plaintext, native tables), seen from "
        f"{ours['as_of']} in {ours['zone']}; {facts['machine']}, {facts['cores']} cores, {facts['threads']} threads "
        f"each; medians of {facts['rounds']} interleaved rounds, warm; ratio: DuckDB's time over hyperseg's.\n"
    )
    print("| segment | members | count: hyperseg ms | DuckDB ms | ratio | on the list | rows: hyperseg ms | DuckDB ms | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for one in figures:
        cells = [one.title, f"{one.counted:,}", *times(one, "count"), f"{one.listed:,}", *times(one, "rows")]
        print(f"| {' | '.join(cells)} |")
    means = {mode: geometric(one.ratio(mode) for one in figures) for mode in ("count", "rows")}
    print(f"| **geometric mean** | | | | **{means['count']:.2f}×** | | | | **{means['rows']:.2f}×** |\n")
    processor(figures)
    counters(figures, "count")
    counters(figures, "rows")
    print(
        f"A durable append of {facts['fsync_bytes']} bytes (write and fdatasync) takes {facts['fsync_ms']:.2f} ms beside the "
        f"dataset; every count makes its audit records durable within its time, every list the sealed list as well. "
        f"Peak memory of hyperseg {memory(facts['hyperseg_peak_rss_bytes'])}; of Python with DuckDB's pages, at the end, "
        f"{memory(facts['duckdb_rss_bytes'])}."
    )
    different = [one for one in figures if one.differences]
    for one in different:
        print(f"\n**DIFFERENT MEMBERS**: {one.title}: {'; '.join(one.differences)}")
    if not different:
        print("\nEvery count is the same number and every list the same contacts (SHA-256 over the sorted ids) on both sides.")


def processor(figures: list) -> None:
    print("Processor time, all threads (steadier than the clock on a machine that does other things as well), medians:\n")
    print("| segment | count: hyperseg ms | DuckDB ms | ratio | rows: hyperseg ms | DuckDB ms | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for one in figures:
        cells = [one.title]
        for mode in ("count", "rows"):
            ours, theirs = one.ms(f"hyperseg {mode} cpu"), one.ms(f"duckdb {mode} cpu")
            cells += [f"{ours:.1f}", f"{theirs:.1f}", f"{theirs / ours:.2f}×"]
        print(f"| {' | '.join(cells)} |")
    print()


def times(one, mode: str) -> list[str]:
    ratio = one.ratio(mode)
    # Less than half as long again is a tie.
    tie = " (tie)" if 1 / 1.5 < ratio < 1.5 else ""
    return [f"{one.ms(f'hyperseg {mode}'):.1f}", f"{one.ms(f'duckdb {mode}'):.1f}", f"{ratio:.2f}×{tie}"]


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
