"""The workload in ClickHouse's SQL. A missing text is the empty one here."""

from dataclasses import replace
from datetime import date, datetime

from queries import common
from queries.sql import Query, Sql


class ClickHouse(Sql):
    def day(self, day: date) -> str:
        return f"toDate32('{day}')"

    def instant(self, at: datetime) -> str:
        return f"toDateTime('{at:%Y-%m-%d %H:%M:%S}', 'UTC')"

    def differs(self, column: str, values: list[str]) -> str:
        return f"{column} not in ({', '.join(repr(value) for value in values)})"

    def missing(self, column: str) -> str:
        return f"{column} = ''"

    def human(self) -> str:
        return "(machine is null or not machine)"

    def local_day(self, at: str) -> str:
        return f"toDate({at}, '{self.clock.zone.key}')"

    def under(self, kind: str, prefix: str) -> str:
        below = common.below(self.layout.values(kind, "code"), prefix)
        return f"code between '{below[0]}' and '{below[-1]}'" if below else "false"

    def queries(self) -> dict[str, Query]:
        # A set beside `in` is faster than a join with it.
        return {name: replace(query, joined=False) for name, query in super().queries().items()}
