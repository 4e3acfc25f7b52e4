"""DataFusion: tables in memory, of the columns that the workload reads.

Sorted as `engines.layout` says, texts with few values as dictionaries. In memory nothing tells which batches a window
leaves out; sorted Parquet files, where row groups and pages do, were faster for a birthday only and slower for most:
what is left must be decoded each time.
"""

import datafusion
import pyarrow as pa
import pyarrow.parquet as pq
from datafusion import DataFrame, SessionConfig, SessionContext

from clock import Clock
from engines import duckdb
from engines.layout import Layout
from queries.common import LISTS, read_columns
from queries.datafusion import DataFusion

# Rows of a batch, as DataFusion's own.
BATCH_ROWS = 8192


class Engine:
    version = datafusion.__version__

    def __init__(self, options, clock: Clock):
        folder, layout = duckdb.numbered(options)
        self.threads = options.threads
        self.context = SessionContext(SessionConfig().with_target_partitions(options.threads))
        for table, columns in read_columns().items():
            options.say(f"reading {table}")
            self.keep(table, read(folder / f"{table}.parquet", layout, table, columns))
        sql = DataFusion(layout, clock)
        self.queries = sql.queries()
        # Who may be approached is worked out beforehand, which hyperseg does for every list anew.
        for which, (purpose, channel) in LISTS.items():
            test = sql.approachable(purpose, channel)
            found = self.context.sql(f"select * from contact where {test} order by contact")
            self.keep(f"approachable_{which}", found.to_arrow_table())

    def keep(self, table: str, rows: pa.Table) -> None:
        # That there is always a contact spares a test in `not in`.
        schema = pa.schema([field.with_nullable(field.name != "contact") for field in rows.schema])
        batches = rows.cast(schema).combine_chunks().to_batches(max_chunksize=BATCH_ROWS)
        share = -(-len(batches) // self.threads)
        self.context.register_record_batches(
            table, [batches[at : at + share] for at in range(0, len(batches), share)] or [[]]
        )

    def prepare(self, name: str) -> None:
        pass

    def count(self, name: str) -> int:
        query = self.queries[name]
        found = self.context.sql(query.count_sql()) if not query.base else self.among(name, "contact", "count(*)")
        return found.to_arrow_table().column(0)[0].as_py()

    def rows(self, name: str) -> pa.Table:
        return self.listed(name, "list", "contact_id, email").to_arrow_table()

    def members(self, name: str, which: str) -> pa.ChunkedArray:
        return self.listed(name, which, "contact_id").to_arrow_table().column("contact_id")

    def listed(self, name: str, which: str, columns: str) -> DataFrame:
        query, contacts = self.queries[name], f"approachable_{which}"
        if query.base:
            return self.among(name, contacts, columns)
        return self.context.sql(query.rows_sql(contacts, columns))

    def among(self, name: str, contacts: str, columns: str) -> DataFrame:
        """A query with a base, which is kept in memory for as long as the query: DataFusion keeps no `with`."""
        query = self.queries[name]
        self.context.deregister_table("base")
        self.context.register_table("base", self.context.sql(query.base_sql(contacts)).cache())
        return self.context.sql(f"select {columns} from base where {query.where}")

    def text(self, name: str) -> dict[str, str]:
        query = self.queries[name]
        return {"count": query.count_sql(), "rows": query.rows_sql("approachable_list")}


def read(file, layout: Layout, table: str, columns: list[str]) -> pa.Table:
    found = pq.read_table(file, columns=columns)
    for at, name in enumerate(columns):
        if layout.tables[table][name].type == "ENUM":
            found = found.set_column(at, name, found.column(name).dictionary_encode())
    return found
