"""The engines beside hyperseg, each a module `engines/NAME.py` with a class `Engine`:

    Engine(options, clock)        loads the population, unless it is in the cache, and makes it ready for queries
    version                       of the engine
    count(name) -> int            how many the segment has
    rows(name) -> pyarrow.Table   contact id and e-mail of those of them who may be approached
    prepare(name)                 what must be set before the clock starts
    members(name, which)          the contact ids of a list of `queries.common.LISTS`, as an Arrow array
    text(name) -> dict            what it is asked, for the reader of the figures

A module runs in a process of its own (`serve.py`), so that memory, threads and processor time are the engine's.
"""

# By the names of their packages, as they are called in the tables.
TITLES = {"duckdb": "DuckDB", "clickhouse": "ClickHouse", "polars": "Polars", "datafusion": "DataFusion"}
