"""DuckDB: the population in its own tables, laid out as its documentation advises, every column of it.

Its database is also where the other engines' tables come from: `numbered` writes them out as Parquet.
"""

import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from clock import Clock
from engines.layout import ENUM_VALUES_MAX, Column, Layout, fingerprint, order_by
from queries.common import LISTS
from queries.duckdb import DuckDb

LAYOUT_FILE = "layout.json"


class Engine:
    version = duckdb.__version__

    def __init__(self, options, clock: Clock):
        self.connection = open_database(options)
        sql = DuckDb(layout(self.connection), clock)
        self.queries = sql.queries()
        # Who may be approached is worked out beforehand, which hyperseg does for every list anew.
        with uncompressed(self.connection):
            for which, (purpose, channel) in LISTS.items():
                self.connection.execute(
                    f"""create or replace table approachable_{which} as
                        select * from contact where {sql.approachable(purpose, channel)} order by contact"""
                )
            self.connection.execute("checkpoint")

    def prepare(self, name: str) -> None:
        self.connection.execute(self.queries[name].settings)

    def count(self, name: str) -> int:
        ((found,),) = self.connection.execute(self.queries[name].count_sql()).fetchall()
        return found

    def rows(self, name: str) -> pa.Table:
        return self.connection.sql(self.queries[name].rows_sql("approachable_list")).to_arrow_table()

    def members(self, name: str, which: str) -> pa.ChunkedArray:
        found = self.connection.sql(self.queries[name].rows_sql(f"approachable_{which}", "contact_id"))
        return found.to_arrow_table().column("contact_id")

    def text(self, name: str) -> dict[str, str]:
        query = self.queries[name]
        return {"settings": query.settings, "count": query.count_sql(), "rows": query.rows_sql("approachable_list")}


def open_database(options) -> duckdb.DuckDBPyConnection:
    """The population as a database, loaded unless it is in the cache."""
    path = options.cache / f"{fingerprint(options.population, [duckdb.__version__])}.duckdb"
    if not path.exists():
        options.cache.mkdir(parents=True, exist_ok=True)
        # A load that was interrupted leaves only this name behind.
        partial = path.with_suffix(".partial")
        for stale in (partial, partial.with_suffix(".partial.wal")):
            stale.unlink(missing_ok=True)
        load(options, partial)
        partial.rename(path)
    connection = duckdb.connect(str(path))
    settings(connection, options)
    return connection


def settings(connection: duckdb.DuckDBPyConnection, options) -> None:
    connection.execute(f"set threads = {options.threads}")
    connection.execute(f"set memory_limit = '{options.memory}'")
    connection.execute("set preserve_insertion_order = false")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set TimeZone = 'UTC'")


def load(options, database: Path) -> None:
    connection = duckdb.connect(str(database))
    settings(connection, options)
    # Sorting is what puts rows of one criterion side by side.
    connection.execute("set preserve_insertion_order = true")
    connection.execute(f"set temp_directory = '{database.parent / 'spill'}'")
    started = time.monotonic()
    contacts = options.population / "contacts.parquet"
    with uncompressed(connection):
        connection.execute(
            f"""create table contact as
                select (row_number() over () - 1)::integer as contact, * from (
                  select {columns(connection, contacts, "contact")} from read_parquet('{contacts}')
                  order by {order_by("contact")})"""
        )
        connection.execute("checkpoint")
    for file in sorted(options.population.glob("*.parquet")):
        kind = file.stem
        if kind == "contacts":
            continue
        connection.execute(
            f"""create table "{kind}" as
                select contact, record.* exclude (contact_id) from (
                  select {columns(connection, file, kind)} from read_parquet('{file}')) record
                join (select contact, contact_id from contact) using (contact_id)
                order by {order_by(kind)}"""
        )
        options.say(f"loaded {kind} after {time.monotonic() - started:.0f} s")
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


def layout(connection: duckdb.DuckDBPyConnection) -> Layout:
    """What DuckDB knows of its tables."""
    tables: dict[str, dict[str, Column]] = {}
    rows = connection.execute(
        """select table_name, column_name, data_type from duckdb_columns() join duckdb_tables() using (table_name)
           where not starts_with(table_name, 'approachable_') order by table_name, column_index"""
    ).fetchall()
    for table, name, kind in rows:
        values = None
        if kind.startswith("ENUM"):
            kind = "ENUM"
            enum = connection.execute(f'select unnest(enum_range(null::"{table}_{name}"))').fetchall()
            values = [value for (value,) in enum]
        timed = kind in ("DATE", "TIMESTAMP")
        between = f'min("{name}")::text, max("{name}")::text' if timed else "null, null"
        whole = f"coalesce(bool_and(epoch_us(\"{name}\") % 1000000 = 0), true)" if kind == "TIMESTAMP" else "false"
        found = connection.execute(
            f'select count(*) > count("{name}"), {between}, {whole} from "{table}"'
        ).fetchone()
        tables.setdefault(table, {})[name] = Column(kind, values, *found)
    ((contacts,),) = connection.execute("select count(*) from contact").fetchall()
    return Layout(contacts, tables)


def numbered(options) -> tuple[Path, Layout]:
    """DuckDB's tables as Parquet files, written unless they are in the cache, each in its order."""
    folder = options.cache / f"{fingerprint(options.population, [duckdb.__version__])}-numbered"
    if not folder.exists():
        connection = open_database(options)
        connection.execute("set preserve_insertion_order = true")
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        known = layout(connection)
        for table in known.tables:
            options.say(f"writing {table}")
            file = partial / f"{table}.parquet"
            connection.execute(f"""copy "{table}" to '{file}' (format parquet, compression snappy)""")
        known.save(partial / LAYOUT_FILE)
        connection.close()
        partial.rename(folder)
    return folder, Layout.load(folder / LAYOUT_FILE)
