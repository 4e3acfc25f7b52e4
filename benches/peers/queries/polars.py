"""The workload in Polars' expressions, with the meaning that `queries/sql.py` tells.

A filter drops what is NULL, as a test on NULL is not true. `ne_missing` is SQL's `is distinct from`.

A set of contacts is either a column of their numbers or a mask, a Boolean column over all contacts. To scatter numbers
into a mask, and to gather from it, takes a fifth to a tenth of the time of `unique` and of a semi-join.
"""

from datetime import date, timedelta
from functools import reduce

import polars as pl

from clock import Clock
from queries import common

AGED = ["contact", "birth_date", "deceased_on"]
CONTACT, AT, STATUS = pl.col("contact"), pl.col("at"), pl.col("status")


class Polars:
    def __init__(self, tables: dict, layout, clock: Clock):
        self.tables = tables
        self.layout = layout
        self.clock = clock
        self.contacts = tables["contact"].frame
        self.segments = self.queries()

    def members(self, name: str) -> pl.Series:
        """The numbers of the members, each once."""
        found = self.segments[name]()
        return found.arg_true() if found.dtype == pl.Boolean else found

    def count(self, name: str) -> int:
        found = self.segments[name]()
        return found.sum() if found.dtype == pl.Boolean else len(found)

    def mask(self, *numbers: pl.Series) -> pl.Series:
        found = pl.zeros(self.layout.contacts, pl.Boolean, eager=True)
        for one in numbers:
            found.scatter(one, True)
        return found

    # Records.

    def seen(self, kind: str, frames: list[pl.DataFrame] | None = None, since: date | None = None) -> pl.LazyFrame:
        """Records until as_of, of these stretches or all, none hidden; those of a window when it has a first day."""
        table = self.tables[kind]
        frames = table.all() if frames is None else frames
        first, end = self.window(kind, since)
        if table.timed:
            frames = [between(frame, first, end) for frame in frames]
            tests = []
        else:
            tests = [AT < end] + ([AT >= first] if first else [])
        shown = [STATUS.ne_missing(status) for status in self.known(kind, common.hidden(kind))]
        return concat(frames, table.frame).filter(*tests, *shown)

    def window(self, kind: str, since: date | None):
        """The first moment of a window and the first after as_of."""
        if self.layout.is_day(kind, "at"):
            return since, self.clock.today + timedelta(days=1)
        return since and self.clock.start_of(since), self.clock.tomorrow

    def known(self, kind: str, statuses: list[str]) -> list[str]:
        """An enum cannot be compared with what is no value of it."""
        return [status for status in statuses if status in self.layout.values(kind, "status")]

    def active(self, kind: str) -> pl.Expr:
        end = self.clock.today if self.layout.is_day(kind, "end") else self.clock.tomorrow - timedelta(microseconds=1)
        over = STATUS.is_in(self.known(kind, common.ended(kind))).fill_null(False)
        return pl.when(pl.col("end").is_null()).then(~over).otherwise(pl.col("end") >= end)

    def sick(self, codes: list[str]) -> pl.Series:
        found = self.seen("condition", self.tables["condition"].of(*codes))
        return numbers(found.filter(pl.col("verification").ne_missing("refuted"), self.active("condition")))

    def diabetes(self) -> pl.Series:
        return self.sick(common.below(self.layout.values("condition", "code"), common.DIABETES_UNDER))

    def taken(self, codes: list[str]) -> pl.Series:
        return numbers(self.seen("medication", self.tables["medication"].of(*codes)).filter(self.active("medication")))

    def latest_hba1c(self, over: float, among: pl.Series | None = None) -> pl.Series:
        found = self.seen("lab", self.tables["lab"].of(*common.HBA1C))
        if among is not None:
            found = kept(found.collect(), among).lazy()
        return latest(found, (pl.col("value") > over) & pl.col("comparator").is_null())

    def no_shows(self, least: int) -> pl.Series:
        """Their records lie in the order of contacts: whoever has so many is the same so many rows before."""
        since = self.clock.months_ago(12)
        found = numbers(self.seen("appointment", self.tables["appointment"].of("no_show"), since))
        return self.mask(found if least == 1 else found.filter(found == found.shift(least - 1)))

    def opened(self) -> pl.LazyFrame:
        found = self.seen("email_open", since=self.clock.days_ago(90))
        return found.filter(pl.col("machine").ne_missing(True)).select(CONTACT)

    def logged_in(self) -> pl.Series:
        return self.mask(numbers(self.seen("portal_login", since=self.clock.days_ago(60))))

    def opted_in(self) -> pl.Series:
        found = self.seen("consent", self.tables["consent"].of("email")).filter(pl.col("purpose") == "marketing")
        return latest(found, pl.col("decision") == "grant")

    def happened(self) -> pl.Series:
        parts = []
        for kind in common.BEHAVIOURAL:
            found = self.seen(kind, since=self.clock.days_ago(180))
            if kind == "email_open":
                found = found.filter(pl.col("machine").ne_missing(True))
            parts.append(found.select(CONTACT))
        return self.mask(*(found.get_column("contact") for found in pl.collect_all(parts)))

    def first_encounter(self) -> pl.Series:
        """Encounters lie in the order of contacts, then of time: the first of each follows another contact's."""
        first = self.clock.start_of(self.clock.days_ago(30))
        found = self.seen("encounter").select(CONTACT, AT).collect()
        contact = found.get_column("contact")
        return contact.filter(contact.ne_missing(contact.shift(1)) & (found.get_column("at") >= first))

    def clicked(self, campaign: str, days: int) -> pl.Series:
        clicks = self.seen("email_click").filter(pl.col("campaign") == campaign).select(CONTACT, click=AT).collect()
        sends = self.seen("email_sent", self.tables["email_sent"].of(campaign)).select(CONTACT, AT).collect()
        sends = kept(sends, self.mask(clicks.get_column("contact")))
        click = pl.col("click")
        found = (
            clicks.lazy().join(sends.lazy(), on="contact")
            .filter(click > AT, click <= AT + timedelta(days=days + 2))
            .filter(self.local_day(click) <= self.local_day(AT) + timedelta(days=days))
        )
        return self.mask(numbers(found))

    def local_day(self, at: pl.Expr) -> pl.Expr:
        return at.dt.replace_time_zone("UTC").dt.convert_time_zone(self.clock.zone.key).dt.date()

    def top_clicks(self, percent: int) -> pl.Series:
        """All who are not behind so many others; who has no click has none fewer than the last of them."""
        places = common.places(self.layout.contacts, percent)
        clicks = self.seen("email_click", since=self.clock.months_ago(12)).group_by("contact").len()
        return numbers(clicks.filter(pl.col("len") >= pl.col("len").top_k(places).min()))

    # Contacts.

    def of_age(self, people: pl.DataFrame, low: int, high: int | None = None) -> pl.Series:
        """Completed years today, or at death for those who died before, who are few: years are added to no other's
        birth date."""
        birth, death = pl.col("birth_date"), pl.col("deceased_on")
        born = birth <= self.clock.born_by(low)
        young = [] if high is None else [birth > self.clock.born_by(high + 1)]
        living = people.filter(death.is_null(), born, *young)
        end = pl.min_horizontal(death, pl.lit(self.clock.today))
        passed = [birth.dt.offset_by(f"{low}y") <= end]
        if high is not None:
            passed.append(birth.dt.offset_by(f"{high + 1}y") > end)
        dead = people.filter(death.is_not_null()).filter(passed)
        return pl.concat([living.get_column("contact"), dead.get_column("contact")])

    def women(self, states: list[str] | None, low: int, high: int, *tests: pl.Expr) -> pl.Series:
        frames = self.tables["contact"].of(*states) if states else [self.contacts]
        found = concat(frames, self.contacts).filter(pl.col("gender") == "female", *tests)
        return self.of_age(found.select(*AGED).collect(), low, high)

    def seven_demographic(self) -> pl.Series:
        return self.women(
            ["MA", "CA", "TX", "NY"], 40, 64,
            pl.col("income") > 50000,
            pl.col("insurance_type").is_in(["commercial", "medicare_advantage"]),
            pl.col("preferred_language") == "en",
            pl.col("household_size").is_between(2, 5),
        )

    def birthday(self, days: int) -> pl.Series:
        """Days are asked only of those born in the month."""
        birth, found = pl.col("birth_date"), []
        born = self.contacts.select("contact", "birth_date").with_columns(month=birth.dt.month())
        for one in common.returns(self.clock, days):
            month = born.filter(pl.col("month") == one.month)
            returned = birth.dt.day().is_between(one.first, one.last) & (birth < date(one.year, 1, 1))
            found.append(month.filter(returned).get_column("contact"))
        return pl.concat(found)

    def near(self, latitude: float, longitude: float, miles: float) -> pl.Series:
        """At most so far away on the sphere; a box of degrees around the circle is the cheap test."""
        area = common.circle(latitude, longitude, miles)
        lat, lon = pl.col("location_lat"), pl.col("location_lon")
        box = lat.is_between(area.south, area.north) & lon.is_between(area.west, area.east)
        # Not as one lazy query, which would put both tests to every contact.
        near = self.contacts.select("contact", "location_lat", "location_lon").filter(box)
        near = near.with_columns(
            high=((lat - latitude).radians() / 2).sin(), wide=((lon - longitude).radians() / 2).sin()
        )
        high, wide = pl.col("high"), pl.col("wide")
        sines = high * high + pl.lit(latitude).radians().cos() * lat.radians().cos() * wide * wide
        return near.filter(2 * common.EARTH_KM * sines.sqrt().arcsin() <= area.km).get_column("contact")

    def approachable(self, purpose: str, channel: str) -> pl.Series:
        """Which contacts consent and suppression allow to approach. For purposes that need no authorization: silence
        is consent. Judged at as_of, as the driver does."""
        address = pl.col({"email": "email", "push": "contact_id"}[channel])
        gates = [pl.col("deceased_on").is_null(), address.is_not_null(), address != ""]
        allowed = self.mask(numbers(self.contacts.lazy().filter(*gates)))
        if channel == "email":
            for kind in common.SUPPRESSING:
                hard = [pl.col("bounce") == "hard"] if kind == "email_bounce" else []
                allowed &= ~self.mask(numbers(self.seen(kind).filter(*hard)))
        decision, scope = pl.col("decision"), pl.col("scope").cast(pl.String)
        # A refusal wins over a grant of the same moment; a grant of limited scope, and what is pending, say nothing.
        scoped = (decision == "grant") & scope.is_not_null() & ~scope.is_in(["", "all"])
        consents = self.seen("consent").filter(
            (pl.col("channel") == channel) | pl.col("channel").is_null(),
            (pl.col("purpose") == purpose) | pl.col("purpose").is_null(),
            decision.ne_missing("pending"),
            ~scoped.fill_null(False),
        )
        return allowed & ~self.mask(latest(consents, decision.ne_missing("grant")))

    # Segments.

    def queries(self) -> dict:
        return {
            "women_in_states": lambda: self.women(["MA", "NH", "ME"], 50, 74),
            "seven_demographic": self.seven_demographic,
            "birthday": lambda: self.birthday(7),
            "near": lambda: self.near(42.3601, -71.0589, 25),
            "diabetes": lambda: self.older(40, self.mask(self.diabetes())),
            "latest_hba1c": lambda: self.latest_hba1c(9),
            "no_mammogram": lambda: among(self.women(None, 50, 74), ~self.mammogram()),
            "two_conditions": self.two_conditions,
            "no_shows": lambda: self.no_shows(2),
            "opened_mail": lambda: at_least(3, self.opened()),
            "no_login": lambda: among(self.opted_in(), ~self.logged_in()),
            "no_event": lambda: ~self.happened(),
            "first_encounter": self.first_encounter,
            "click_after_send": lambda: self.clicked("flu_shot", 7),
            "top_clicks": lambda: self.top_clicks(5),
            "all_of_it": self.all_of_it,
        }

    def older(self, low: int, mask: pl.Series) -> pl.Series:
        return self.of_age(self.contacts.select(AGED).filter(mask), low)

    def mammogram(self) -> pl.Series:
        frames = self.tables["procedure"].of(*common.MAMMOGRAMS)
        return self.mask(numbers(self.seen("procedure", frames, self.clock.months_ago(24))))

    def two_conditions(self) -> pl.Series:
        found = among(self.taken(common.METFORMIN), self.mask(self.diabetes()))
        found = among(found, self.mask(self.sick(common.HYPERTENSION)))
        return self.mask(among(found, ~self.mask(self.taken(common.STATINS))))

    def all_of_it(self) -> pl.Series:
        found = among(self.women(["MA", "NH", "ME"], 40, 79), self.mask(self.diabetes()))
        found = among(self.latest_hba1c(7, self.mask(found)), self.no_shows(1))
        found = at_least(2, kept(self.opened().collect(), self.mask(found)).lazy())
        return among(found, ~self.logged_in())


def between(frame: pl.DataFrame, first, end) -> pl.DataFrame:
    """The rows of a frame sorted by time from a moment until before another."""
    at = frame.get_column("at")
    start = at.search_sorted(first, "left") if first else 0
    return frame.slice(start, at.search_sorted(end, "left") - start)


def concat(frames: list[pl.DataFrame], whole: pl.DataFrame) -> pl.LazyFrame:
    return pl.concat(frames, rechunk=False).lazy() if frames else whole.head(0).lazy()


def numbers(found: pl.LazyFrame) -> pl.Series:
    return found.select(CONTACT).collect().get_column("contact")


def among(found: pl.Series, mask: pl.Series) -> pl.Series:
    return found.filter(mask.gather(found))


def kept(records: pl.DataFrame, mask: pl.Series) -> pl.DataFrame:
    return records.filter(mask.gather(records.get_column("contact")))


def at_least(least: int, records: pl.LazyFrame) -> pl.Series:
    return numbers(records.group_by("contact").len().filter(pl.col("len") >= least))


def latest(records: pl.LazyFrame, test: pl.Expr) -> pl.Series:
    """Contacts whose latest record passes the test; of those that tie, one that does is enough. Each moment is doubled,
    and one more where the record passes, so that the greatest tells both."""
    moment = AT.to_physical().cast(pl.Int64) * 2 + test.fill_null(False).cast(pl.Int64)
    found = records.select(CONTACT, moment.alias("moment")).group_by("contact").agg(pl.col("moment").max())
    return numbers(found.filter(pl.col("moment") % 2 == 1))
