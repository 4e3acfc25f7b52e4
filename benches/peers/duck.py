"""Loads a generated population into DuckDB's own tables, laid out as its documentation advises.

One typed table per record kind, sorted by what criteria of this kind name; contacts sorted by state, gender and birth
date and numbered in that order; records refer to the number, never to the id's text; texts with few values are enums;
instants are timestamps in UTC. Every column of the population is kept.
"""

import hashlib
import json
import time
from contextlib import contextmanager
from pathlib import Path

import duckdb

# Raised when the layout changes, so that an older database file is loaded anew.
LAYOUT = 3
# A text column with at most this many values becomes an enum.
ENUM_VALUES_MAX = 2000
# In what order the rows of a kind lie: by the field that criteria of the kind name, then by time where criteria name a
# short stretch of it, by contact where they look at all of it. All other kinds are sorted by time alone. Chosen by
# measurement; sorting conditions and medication by contact as well gains nothing.
SORTED_BY = {
    "condition": 'code, "at"', "medication": 'code, "at"', "care_plan": 'code, "at"', "allergy": 'code, "at"',
    "immunization": 'code, "at"', "vital": 'code, "at"', "procedure": "code, contact", "lab": 'code, contact, "at"',
    "encounter": 'contact, "at"', "appointment": 'status, contact, "at"', "bill": 'status, "at"', "event": 'kind, "at"',
    "consent": 'channel, purpose, contact, "at"',
}


def fingerprint(population: Path) -> str:
    """Names a population by its files: another size or time is another population."""
    files = sorted(population.glob("*.parquet"))
    if not any(file.name == "contacts.parquet" for file in files):
        raise SystemExit(f"{population}: no contacts.parquet; write one with `hyperseg generate`")
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps([LAYOUT, duckdb.__version__, facts]).encode()).hexdigest()[:16]


def open_database(population: Path, cache: Path, threads: int, memory: str, say) -> duckdb.DuckDBPyConnection:
    """The population as a database, loaded unless it is in the cache."""
    path = cache / f"{fingerprint(population)}.duckdb"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # A load that was interrupted leaves only this name behind.
        partial = path.with_suffix(".partial")
        for stale in (partial, partial.with_suffix(".partial.wal")):
            stale.unlink(missing_ok=True)
        load(population, partial, threads, memory, say)
        partial.rename(path)
    connection = duckdb.connect(str(path))
    settings(connection, threads, memory)
    say(f"database {path} ({path.stat().st_size / 1e9:.1f} GB)")
    return connection


def settings(connection: duckdb.DuckDBPyConnection, threads: int, memory: str) -> None:
    connection.execute(f"set threads = {threads}")
    connection.execute(f"set memory_limit = '{memory}'")
    connection.execute("set preserve_insertion_order = false")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set TimeZone = 'UTC'")


def load(population: Path, database: Path, threads: int, memory: str, say) -> None:
    connection = duckdb.connect(str(database))
    settings(connection, threads, memory)
    # Sorting is what puts rows of one criterion side by side.
    connection.execute("set preserve_insertion_order = true")
    connection.execute(f"set temp_directory = '{database.parent / 'spill'}'")
    started = time.monotonic()
    contacts = population / "contacts.parquet"
    with uncompressed(connection):
        connection.execute(
            f"""create table contact as
                select (row_number() over () - 1)::integer as contact, * from (
                  select {columns(connection, contacts, "contact")} from read_parquet('{contacts}')
                  order by state, gender, birth_date)"""
        )
        connection.execute("checkpoint")
    for file in sorted(population.glob("*.parquet")):
        kind = file.stem
        if kind == "contacts":
            continue
        order = SORTED_BY.get(kind, '"at"')
        connection.execute(
            f"""create table "{kind}" as
                select contact, record.* exclude (contact_id) from (
                  select {columns(connection, file, kind)} from read_parquet('{file}')) record
                join (select contact, contact_id from contact) using (contact_id)
                order by {order}"""
        )
        say(f"loaded {kind} after {time.monotonic() - started:.0f} s")
    connection.execute("checkpoint")
    connection.close()


@contextmanager
def uncompressed(connection: duckdb.DuckDBPyConnection):
    """Tables made within are stored as they are: fetching scattered texts is twice as fast, for twice the space."""
    connection.execute("pragma force_compression = 'uncompressed'")
    yield
    connection.execute("pragma force_compression = 'auto'")


def columns(connection: duckdb.DuckDBPyConnection, file: Path, table: str) -> str:
    """The columns of a file in the types of the database; makes the enums they need."""
    described = connection.execute(f"describe select * from read_parquet('{file}')").fetchall()
    texts = [name for name, kind, *_ in described if kind == "VARCHAR"]
    counts = ", ".join(f'approx_count_distinct("{name}")' for name in texts)
    distinct = connection.execute(f"select {counts} from read_parquet('{file}')").fetchone()
    enums = {name for name, found in zip(texts, distinct) if 0 < found <= ENUM_VALUES_MAX}
    out = []
    for name, kind, *_ in described:
        if name in enums:
            enum = f'"{table}_{name}"'
            # In the order of their texts, so that codes below a code lie side by side.
            connection.execute(
                f"""create type {enum} as enum (
                    select distinct "{name}" from read_parquet('{file}') where "{name}" is not null order by 1)"""
            )
            out.append(f'"{name}"::{enum} as "{name}"')
        elif kind.startswith("TIMESTAMP"):
            out.append(f'("{name}" at time zone \'UTC\')::timestamp as "{name}"')
        else:
            out.append(f'"{name}"')
    return ", ".join(out)
