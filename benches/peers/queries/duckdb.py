"""The workload in DuckDB's SQL."""

from dataclasses import replace

from queries import common
from queries.sql import Query, Sql


class DuckDb(Sql):
    def under(self, kind: str, prefix: str) -> str:
        """The enum lies in the order of its texts, so that these codes are a stretch of it."""
        below = common.below(self.layout.values(kind, "code"), prefix)
        if not below:
            return "false"
        return f"code between '{below[0]}'::{kind}_code and '{below[-1]}'::{kind}_code"

    def queries(self) -> dict[str, Query]:
        found = super().queries()
        # Where grouping by contact is faster in an array over all contacts than in a hash table.
        dense = {"two_conditions", "no_event", "first_encounter"}
        return {
            name: replace(query, settings=f"set perfect_ht_threshold = {24 if name in dense else 12}")
            for name, query in found.items()
        }
