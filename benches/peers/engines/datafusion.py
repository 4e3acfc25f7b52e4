"""DataFusion: sorted Parquet files of the columns that the workload reads."""

import os
import shutil
from pathlib import Path

import datafusion
import pyarrow as pa
import pyarrow.parquet as pq
from datafusion import SessionConfig, SessionContext

from clock import Clock
from engines import duckdb
from engines.layout import Layout, fingerprint
from queries.common import LISTS, read_columns
from queries.datafusion import DataFusion

MEM = os.environ.get("DF_MEM", "0") == "1"
ROWS = 131072


class Engine:
    version = datafusion.__version__

    def __init__(self, options, clock: Clock):
        folder, layout = tables(options)
        config = SessionConfig().with_target_partitions(options.threads)
        for name, value in {
            "datafusion.execution.parquet.pushdown_filters": os.environ.get("DF_PUSH", "true"),
            "datafusion.execution.parquet.reorder_filters": "true",
            "datafusion.execution.collect_statistics": "true",
            "datafusion.runtime.metadata_cache_limit": "500M",
        }.items():
            if "runtime" in name: continue
            config = config.set(name, value)
        for one in os.environ.get("DF_SET", "").split(";"):
            if one:
                config = config.set(*one.split("="))
        self.context = SessionContext(config)
        for table in read_columns():
            self.register(table, folder / f"{table}.parquet")
        sql = DataFusion(layout, clock)
        self.queries = sql.queries()
        for which, (purpose, channel) in LISTS.items():
            file = folder / f"approachable_{which}.parquet"
            found = self.context.sql(f"select * from contact where {sql.approachable(purpose, channel)} order by contact")
            write(found.to_arrow_table(), file)
            self.register(f"approachable_{which}", file)

    def register(self, table, file):
        if MEM:
            found = pq.read_table(file)
            batches = found.to_batches(max_chunksize=8192)
            half = len(batches) // 2
            self.context.register_record_batches(table, [batches[:half], batches[half:]])
        else:
            self.context.register_parquet(table, str(file))

    def prepare(self, name: str) -> None:
        pass

    def count(self, name: str) -> int:
        return self.context.sql(self.queries[name].count_sql()).to_arrow_table().column(0)[0].as_py()

    def rows(self, name: str) -> pa.Table:
        return self.context.sql(self.queries[name].rows_sql("approachable_list")).to_arrow_table()

    def members(self, name: str, which: str) -> pa.ChunkedArray:
        sql = self.queries[name].rows_sql(f"approachable_{which}", "contact_id")
        return self.context.sql(sql).to_arrow_table().column("contact_id")

    def text(self, name: str) -> dict[str, str]:
        query = self.queries[name]
        return {"count": query.count_sql(), "rows": query.rows_sql("approachable_list")}


def tables(options) -> tuple[Path, Layout]:
    numbered, layout = duckdb.numbered(options)
    path = options.cache / f"{fingerprint(options.population, [datafusion.__version__])}-datafusion"
    if not path.exists():
        partial = path.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for table, columns in read_columns().items():
            options.say(f"writing {table}")
            enums = [name for name in columns if layout.tables[table][name].type == "ENUM"]
            found = pq.read_table(numbered / f"{table}.parquet", columns=columns, read_dictionary=enums)
            write(found, partial / f"{table}.parquet")
        partial.rename(path)
    return path, layout


def write(found: pa.Table, file: Path) -> None:
    required = pa.schema([f.with_nullable(f.name not in ("contact",)) for f in found.schema])
    found = found.cast(required)
    dictionary = [field.name for field in found.schema if pa.types.is_dictionary(field.type)]
    pq.write_table(found, file, compression="none", use_dictionary=dictionary, row_group_size=ROWS, write_page_index=True)
