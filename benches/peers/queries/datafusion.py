"""The workload in DataFusion's SQL."""

from queries import common
from queries.sql import Sql


class DataFusion(Sql):
    def local_day(self, at: str) -> str:
        return f"to_local_time(({at} at time zone 'UTC') at time zone '{self.clock.zone.key}')::date"

    def days_on(self, day: str, days: int) -> str:
        return f"{day} + interval '{days} day'"

    def both(self, cheap: str, dear: str) -> str:
        """Else both tests are put to every row."""
        return f"case when {cheap} then {dear} else false end"

    def top_clicks(self, percent: int) -> str:
        """What `with` names would be worked out anew wherever it is named; a rank names it once."""
        places = common.places(self.layout.contacts, percent)
        ranked = f"select contact, rank() over (order by clicks desc) as place from ({self.clicks()})"
        return f"select contact from ({ranked}) where place <= {places}"
