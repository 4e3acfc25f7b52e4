"""Polars: frames in memory, of the columns that the workload reads.

Sorted as `engines.layout` says; texts with few values are enums; rows are gathered by the contacts' numbers. Where each
value of the first column of the order begins and ends is known beforehand; within it, or in a frame that is sorted by
time alone, a window is found by binary search.
"""

import polars as pl
import pyarrow as pa

from clock import Clock
from engines import duckdb
from engines.layout import Layout, sorted_by
from queries.common import LISTS, read_columns
from queries.polars import Polars


class Engine:
    version = pl.__version__

    def __init__(self, options, clock: Clock):
        folder, layout = duckdb.numbered(options)
        tables = {}
        for table, columns in read_columns().items():
            options.say(f"reading {table}")
            tables[table] = Table(read(folder / f"{table}.parquet", layout, table, columns), table)
        self.workload = Polars(tables, layout, clock)
        self.outputs = tables["contact"].frame.select("contact_id", "email")
        # Who may be approached is worked out beforehand, which hyperseg does for every list anew.
        self.approachable = {which: self.workload.approachable(*of) for which, of in LISTS.items()}

    def prepare(self, name: str) -> None:
        pass

    def count(self, name: str) -> int:
        return self.workload.count(name)

    def rows(self, name: str) -> pa.Table:
        return self.gathered(name, "list", self.outputs)

    def members(self, name: str, which: str) -> pa.ChunkedArray:
        return self.gathered(name, which, self.outputs.select("contact_id")).column("contact_id")

    def gathered(self, name: str, which: str, outputs: pl.DataFrame) -> pa.Table:
        numbers = self.workload.members(name)
        listed = numbers.filter(self.approachable[which].gather(numbers))
        # The texts stay where they are: Arrow has views of them too.
        return outputs[listed].to_arrow(compat_level=pl.CompatLevel.newest())

    def text(self, name: str) -> dict[str, str]:
        return {"expression": f"queries/polars.py, {name}"}


class Table:
    """A frame, and where each value of the first column of its order lies."""

    def __init__(self, frame: pl.DataFrame, table: str):
        self.frame = frame
        first, *more = sorted_by(table)
        self.stretches = {}
        # Whether each stretch, or the whole where there are none, is sorted by time.
        self.timed = first == "at" or more[:1] == ["at"] and first != "contact"
        if not isinstance(frame.get_column(first).dtype, pl.Enum):
            return
        lengths = frame.get_column(first).rle().struct.unnest()
        at = 0
        for length, value in lengths.iter_rows():
            self.stretches[value] = (at, length)
            at += length

    def of(self, *values: str) -> list[pl.DataFrame]:
        """The rows of these values of the first column."""
        return [self.frame.slice(*self.stretches[value]) for value in values if value in self.stretches]

    def all(self) -> list[pl.DataFrame]:
        """Every row, in pieces that are sorted by time where the table has such."""
        if not self.timed or not self.stretches:
            return [self.frame]
        return [self.frame.slice(*stretch) for stretch in self.stretches.values()]


def read(file, layout: Layout, table: str, columns: list[str]) -> pl.DataFrame:
    frame = pl.read_parquet(file, columns=columns)
    casts = [
        pl.col(name).cast(pl.Enum(layout.values(table, name)))
        for name in columns
        if layout.tables[table][name].type == "ENUM"
    ]
    return frame.with_columns(*casts, pl.col("contact").cast(pl.UInt32)).rechunk()
