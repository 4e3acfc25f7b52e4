"""ClickHouse embedded (chdb): the population in MergeTree tables, every column of it.

Ordered by what criteria name, each table one part; texts with few values are enums, without NULL, whose null map costs
a byte a row: a missing text is the empty one; dates and instants are of the smallest type that holds them.
"""

import shutil
from pathlib import Path

import chdb
import pyarrow as pa
from chdb.session import Session

from clock import Clock
from engines import duckdb
from engines.layout import Column, Layout, fingerprint, sorted_by
from queries.clickhouse import ClickHouse
from queries.common import LISTS

# Said with every query.
SETTINGS = {
    # Answers of filters would be kept from one round to the next; neither side keeps any.
    "use_query_condition_cache": 0,
    "use_query_cache": 0,
    # `with … as materialized` would be worked out anew wherever it is named.
    "enable_materialized_cte": 1,
}
# Where an enum has more values it takes two bytes.
ENUM8_VALUES_MAX = 120


class Engine:
    def __init__(self, options, clock: Clock):
        self.session, layout = open_session(options)
        self.version = f"{chdb.__version__} ({self.ask('select version()').column(0)[0]})"
        sql = ClickHouse(layout, clock)
        self.queries = sql.queries()
        settings = SETTINGS | {"max_threads": options.threads}
        self.settings = ", ".join(f"{name} = {value}" for name, value in settings.items())
        # Who may be approached is worked out beforehand, which hyperseg does for every list anew.
        for which, (purpose, channel) in LISTS.items():
            self.keep(f"approachable_{which}", layout.tables["contact"], sql.approachable(purpose, channel))

    def keep(self, table: str, columns: dict[str, Column], test: str) -> None:
        """A table of some contacts. Stored as it is: fetching scattered texts is faster, for more space."""
        self.session.query(f"drop table if exists {table}")
        create(self.session, table, columns, sorted_by("contact"), "codec(NONE)")
        self.session.query(f"insert into {table} select * from contact where {test}")
        self.session.query(f"optimize table {table} final")

    def prepare(self, name: str) -> None:
        pass

    def ask(self, sql: str) -> pa.Table:
        return self.session.query(sql, "ArrowTable")

    def count(self, name: str) -> int:
        return self.ask(self.text(name)["count"]).column(0)[0].as_py()

    def rows(self, name: str) -> pa.Table:
        return self.ask(self.text(name)["rows"])

    def members(self, name: str, which: str) -> pa.ChunkedArray:
        query = self.queries[name]
        found = self.ask(self.with_settings(query.rows_sql(f"approachable_{which}", "contact_id")))
        return found.column("contact_id")

    def text(self, name: str) -> dict[str, str]:
        query = self.queries[name]
        texts = {"count": query.count_sql(), "rows": query.rows_sql("approachable_list")}
        return {what: self.with_settings(text) for what, text in texts.items()}

    def with_settings(self, sql: str) -> str:
        return f"{sql} settings {self.settings}"


def open_session(options) -> tuple[Session, Layout]:
    folder, layout = duckdb.numbered(options)
    path = options.cache / f"{fingerprint(options.population, [chdb.__version__])}-clickhouse"
    if not path.exists():
        partial = path.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        session = Session(str(partial))
        for table, columns in layout.tables.items():
            options.say(f"loading {table}")
            load(session, folder / f"{table}.parquet", table, columns, options.threads)
        session.close()
        partial.rename(path)
    return Session(str(path)), layout


def load(session: Session, file: Path, table: str, columns: dict[str, Column], threads: int) -> None:
    create(session, table, columns, sorted_by(table))
    texts = {name for name, column in columns.items() if column.type in ("ENUM", "VARCHAR")}
    chosen = ", ".join(f"coalesce(\"{name}\", '')" if name in texts else f'"{name}"' for name in columns)
    session.query(
        f"""insert into "{table}" select {chosen} from file('{file}', Parquet)
            settings max_threads = {threads}, max_insert_threads = {threads}"""
    )
    session.query(f'optimize table "{table}" final')


def create(session: Session, table: str, columns: dict[str, Column], order: list[str], codec: str = "") -> None:
    described = ", ".join(f'"{name}" {type_of(name, column)} {codec}' for name, column in columns.items())
    ordered = ", ".join(f'"{name}"' for name in order)
    session.query(
        f"""create table "{table}" ({described}) engine = MergeTree order by ({ordered})
            settings allow_nullable_key = 1"""
    )


def type_of(name: str, column: Column) -> str:
    if name == "contact":
        return "UInt32"
    if column.type == "VARCHAR":
        return "String"
    if column.type == "ENUM":
        # In the order of their texts, so that codes below a code lie side by side.
        texts = [value.replace("\\", "\\\\").replace("'", "\\'") for value in ["", *column.values]]
        values = ", ".join(f"'{text}' = {at}" for at, text in enumerate(texts))
        return f"Enum{8 if len(column.values) <= ENUM8_VALUES_MAX else 16}({values})"
    if column.type == "DATE":
        kind = "Date" if column.first and column.first >= "1970" and column.last < "2149" else "Date32"
    elif column.type == "TIMESTAMP":
        small = column.seconds and (column.first is None or ("1970" < column.first and column.last < "2106"))
        kind = "DateTime('UTC')" if small else "DateTime64(6, 'UTC')"
    elif column.type.startswith("DECIMAL"):
        kind = column.type.replace("DECIMAL", "Decimal")
    else:
        kind = {"BOOLEAN": "Bool", "INTEGER": "Int32", "BIGINT": "Int64", "DOUBLE": "Float64"}[column.type]
    return f"Nullable({kind})" if column.missing else kind
