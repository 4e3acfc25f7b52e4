"""Days as the language counts them: whole local days of the dataset's zone, seen from the end of one day."""

import calendar
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo


class Clock:
    def __init__(self, as_of: str, zone: str):
        self.today = date.fromisoformat(as_of)
        self.zone = ZoneInfo(zone)

    def days_ago(self, days: int) -> date:
        return self.today - timedelta(days=days)

    def months_ago(self, months: int) -> date:
        """Calendar months, clamped to the end of the month."""
        number = self.today.year * 12 + self.today.month - 1 - months
        year, month = divmod(number, 12)
        return date(year, month + 1, min(self.today.day, calendar.monthrange(year, month + 1)[1]))

    def start_of(self, day: date) -> datetime:
        """The first instant of a local day, in UTC and without saying so, as the engines keep instants."""
        local = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return local.astimezone(timezone.utc).replace(tzinfo=None)

    @property
    def tomorrow(self) -> datetime:
        """The first instant that is not seen: as_of is the last microsecond of its day."""
        return self.start_of(self.today + timedelta(days=1))

    def born_by(self, years: int) -> date:
        """The latest birth date with this many completed years today; born on 29 February, a year is completed on
        28 February where the year has no 29th."""
        year = self.today.year - years
        if (self.today.month, self.today.day) == (2, 28):
            return date(year, 2, calendar.monthrange(year, 2)[1])
        if (self.today.month, self.today.day) == (2, 29) and not calendar.isleap(year):
            return date(year, 2, 28)
        return self.today.replace(year=year)

    def next_days(self, days: int) -> list[date]:
        return [self.today + timedelta(days=ahead) for ahead in range(days + 1)]
