"""The criteria of `benches/src/workload.rs` in SQL, by hand, with the meaning the language gives them.

Three values: a test on NULL is not true, as in the language. Hidden records, visibility and `active` are written out.
What cannot matter on a generated population is left out: ICD-10 codes in another spelling than with their dot, records
of one kind some of which know the instant and some only the day, and `recorded_at` of records that tie for the latest.

What is said here all engines understand. Where one of them has another word, or a faster way, its module says so.
"""

from dataclasses import dataclass
from datetime import date, datetime

from clock import Clock
from queries import common


@dataclass
class Query:
    """A segment: either `members`, or `where`."""

    # The numbers of the members, each once ...
    members: str | None = None
    # ... or, over a table of contacts, the test that members pass ...
    where: str | None = None
    # ... and a test for the few to whom `where`, which calls them `base`, is then put.
    base: str | None = None
    # How many there are, where there is a shorter way than to count them.
    count: str | None = None
    # Whether rows come of a join with the members, or of the test that the contact is among them.
    joined: bool = True
    # What the engine is told before the query.
    settings: str = ""

    def count_sql(self) -> str:
        if self.count:
            return self.count
        return f"select count(*) from ({self.members})" if self.members else self.rows_sql("contact", "count(*)")

    def rows_sql(self, contacts: str, columns: str = "contact_id, email") -> str:
        if self.members and self.joined:
            return f"select {columns} from {contacts} join ({self.members}) as members using (contact)"
        if self.members:
            return f"select {columns} from {contacts} where contact in ({self.members})"
        if self.base is None:
            return f"select {columns} from {contacts} where {self.where}"
        return f"with base as materialized ({self.base_sql(contacts)}) select {columns} from base where {self.where}"

    def base_sql(self, contacts: str) -> str:
        return f"select contact, contact_id, email from {contacts} where {self.base}"


class Sql:
    def __init__(self, layout, clock: Clock):
        self.layout = layout
        self.clock = clock

    # Words that differ between engines.

    def day(self, day: date) -> str:
        return f"date '{day}'"

    def instant(self, at: datetime) -> str:
        return f"timestamp '{at:%Y-%m-%d %H:%M:%S}'"

    def differs(self, column: str, values: list[str]) -> str:
        """The column has none of the values; it may be missing."""
        return " and ".join(f"({column} is distinct from '{value}')" for value in values)

    def years_after(self, column: str, years: int) -> str:
        return f"{column} + interval '{years} year'"

    def local_day(self, at: str) -> str:
        return f"(({at} at time zone 'UTC') at time zone '{self.clock.zone.key}')::date"

    def days_after(self, at: str, days: int) -> str:
        return f"{at} + interval '{days} day'"

    def under(self, kind: str, prefix: str) -> str:
        """`code under`: worked out beforehand."""
        return self.codes(common.below(self.layout.values(kind, "code"), prefix))

    def codes(self, codes: list[str]) -> str:
        return f"code in ({', '.join(repr(code) for code in codes)})" if codes else "false"

    # Records.

    def visible(self, kind: str) -> str:
        """Records after as_of are not there."""
        if self.layout.is_day(kind, "at"):
            return f'"at" <= {self.day(self.clock.today)}'
        return f'"at" < {self.instant(self.clock.tomorrow)}'

    def since(self, kind: str, day: date) -> str:
        """A window from a day to today."""
        first = self.day(day) if self.layout.is_day(kind, "at") else self.instant(self.clock.start_of(day))
        return f'"at" >= {first} and {self.visible(kind)}'

    def counts(self, kind: str) -> str:
        """The status is none that hides a record."""
        return self.differs("status", common.hidden(kind))

    def active(self, kind: str) -> str:
        """The record lasts now."""
        if self.layout.is_day(kind, "end"):
            reaches = f'"end" >= {self.day(self.clock.today)}'
        else:
            reaches = f"\"end\" >= {self.instant(self.clock.tomorrow)} - interval '1 microsecond'"
        return f"{self.visible(kind)} and coalesce({reaches}, {self.differs('status', common.ended(kind))})"

    def sick(self) -> str:
        shown = f"{self.counts('condition')} and {self.differs('verification', ['refuted'])}"
        return f"{shown} and {self.active('condition')}"

    def taken(self) -> str:
        return f"{self.counts('medication')} and {self.active('medication')}"

    def diabetes(self) -> str:
        return f"select contact from condition where {self.under('condition', common.DIABETES_UNDER)} and {self.sick()}"

    def hypertension(self) -> str:
        return f"select contact from condition where {self.codes(common.HYPERTENSION)} and {self.sick()}"

    def medication(self, codes: list[str]) -> str:
        return f"select contact from medication where {self.codes(codes)} and {self.taken()}"

    def mammogram(self) -> str:
        return f"""select contact from "procedure"
            where {self.codes(common.MAMMOGRAMS)} and {self.since("procedure", self.clock.months_ago(24))}
              and {self.counts("procedure")}"""

    def latest(self, test: str) -> str:
        """The latest record of a group passes the test; of those that tie, one that does is enough."""
        return f'max("at") filter (where coalesce({test}, false)) = max("at")'

    def latest_hba1c(self, over: float, among: str = "") -> str:
        # A result that is no number, or one reported as below or above something, is not known to be over it.
        return f"""select contact from lab
            where {self.codes(common.HBA1C)} and {self.visible("lab")} and {self.counts("lab")}{among}
            group by contact having {self.latest(f"value > {over} and {self.missing('comparator')}")}"""

    def missing(self, column: str) -> str:
        return f"{column} is null"

    def no_shows(self, least: int, among: str = "") -> str:
        return f"""select contact from appointment
            where status = 'no_show' and {self.since("appointment", self.clock.months_ago(12))}{among}
            group by contact having count(*) >= {least}"""

    def human(self) -> str:
        """An opened mail was not opened by a machine; not to know is enough."""
        return "(machine is distinct from true)"

    def opened(self, least: int, among: str = "") -> str:
        return f"""select contact from email_open
            where {self.since("email_open", self.clock.days_ago(90))}
              and {self.counts("email_open")} and {self.human()}{among}
            group by contact having count(*) >= {least}"""

    def logged_in(self) -> str:
        return f"""select contact from portal_login
            where {self.since("portal_login", self.clock.days_ago(60))} and {self.counts("portal_login")}"""

    def opted_in(self) -> str:
        return f"""select contact from consent
            where channel = 'email' and purpose = 'marketing' and {self.visible("consent")} and {self.counts("consent")}
            group by contact having {self.latest("decision = 'grant'")}"""

    def behaviour(self) -> str:
        """The behavioural records of 180 days, by the numbers of their contacts."""
        parts = []
        for kind in common.BEHAVIOURAL:
            human = f" and {self.human()}" if kind == "email_open" else ""
            window = self.since(kind, self.clock.days_ago(180))
            parts.append(f'select contact from "{kind}" where {window} and {self.counts(kind)}{human}')
        return " union all ".join(parts)

    def happened(self) -> str:
        return f"select contact from ({self.behaviour()}) group by contact"

    def first_encounter(self) -> str:
        return f"""select contact from encounter
            where {self.visible("encounter")} and {self.counts("encounter")}
            group by contact having min("at") >= {self.instant(self.clock.start_of(self.clock.days_ago(30)))}"""

    def clicked(self, campaign: str, days: int) -> str:
        """A click later than a send of the campaign, at most so many local days later."""
        def of(kind: str) -> str:
            return f"""select contact, "at" from {kind}
                where campaign = '{campaign}' and {self.visible(kind)} and {self.counts(kind)}"""

        sent, click = 's."at"', 'c."at"'
        return f"""select distinct s.contact from ({of("email_sent")}) s join ({of("email_click")}) c using (contact)
            where {click} > {sent} and {click} <= {self.days_after(sent, days + 2)}
              and {self.local_day(click)} <= {self.days_on(self.local_day(sent), days)}"""

    def days_on(self, day: str, days: int) -> str:
        return f"{day} + {days}"

    def clicks(self) -> str:
        return f"""select contact, count(*) as clicks from email_click
            where {self.since("email_click", self.clock.months_ago(12))} and {self.counts("email_click")}
            group by contact"""

    def top_clicks(self, percent: int) -> str:
        """All who are not behind so many others; who has no click has none fewer than the last of them."""
        places = common.places(self.layout.contacts, percent)
        return f"""with clicked as materialized ({self.clicks()}),
            numbers as (select clicks, count(*) as contacts from clicked group by clicks),
            ranked as (select clicks, sum(contacts) over (order by clicks desc) - contacts as better from numbers)
            select contact from clicked where clicks >= (select min(clicks) from ranked where better < {places})"""

    # Contacts.

    def age(self, low: int, high: int | None = None) -> str:
        """Completed years today, or at death for those who died before."""
        end = f"least(deceased_on, {self.day(self.clock.today)})"
        # Whoever has reached the age by their death would have reached it by now, which is the cheap test.
        born = f"birth_date <= {self.day(self.clock.born_by(low))}"
        alive = "true" if high is None else f"birth_date > {self.day(self.clock.born_by(high + 1))}"
        died = f"{self.years_after('birth_date', low)} <= {end}"
        if high is not None:
            died += f" and {self.years_after('birth_date', high + 1)} > {end}"
        return f"{born} and case when deceased_on is null then {alive} else {died} end"

    def women(self, low: int, high: int) -> str:
        return f"gender = 'female' and {self.age(low, high)}"

    def in_states(self, *states: str) -> str:
        return f"state in ({', '.join(repr(state) for state in states)})"

    def seven_demographic(self) -> str:
        return f"""{self.women(40, 64)} and {self.in_states("MA", "CA", "TX", "NY")} and income > 50000
            and insurance_type in ('commercial', 'medicare_advantage') and preferred_language = 'en'
            and household_size between 2 and 5"""

    def birthday(self, days: int) -> str:
        tests = [
            f"extract(month from birth_date) = {one.month} "
            f"and extract(day from birth_date) between {one.first} and {one.last} "
            f"and birth_date < {self.day(date(one.year, 1, 1))}"
            for one in common.returns(self.clock, days)
        ]
        return f"({' or '.join(tests)})"

    def near(self, latitude: float, longitude: float, miles: float) -> str:
        """At most so far away on the sphere."""
        area = common.circle(latitude, longitude, miles)
        sines = f"""power(sin(radians(location_lat - {latitude}) / 2), 2) + cos(radians({latitude}))
            * cos(radians(location_lat)) * power(sin(radians(location_lon - ({longitude})) / 2), 2)"""
        box = f"""location_lat between {area.south} and {area.north}
            and location_lon between {area.west} and {area.east}"""
        return self.both(box, f"2 * {common.EARTH_KM} * asin(sqrt({sines})) <= {area.km}")

    def both(self, cheap: str, dear: str) -> str:
        """Two tests, of which the first leaves few for the second."""
        return f"{cheap} and {dear}"

    # Who may be approached.

    def approachable(self, purpose: str, channel: str) -> str:
        """The test of contacts whom consent and suppression allow to approach. For purposes that need no
        authorization: silence is consent. Judged at as_of, as the driver does."""
        address = {"email": "email", "push": "contact_id"}[channel]
        gates = ["deceased_on is null", f"{address} is not null", f"{address} <> ''"]
        if channel == "email":
            for kind in common.SUPPRESSING:
                hard = " and bounce = 'hard'" if kind == "email_bounce" else ""
                tests = f"{self.visible(kind)} and {self.counts(kind)}{hard}"
                gates.append(f"contact not in (select contact from {kind} where {tests})")
        # A refusal wins over a grant of the same moment; a grant of limited scope, and what is pending, say nothing.
        refusal = f"({self.missing('decision')} or decision <> 'grant')"
        scoped = f"decision = 'grant' and not ({self.missing('scope')}) and scope not in ('', 'all')"
        gates.append(
            f"""contact not in (select contact from consent
                where (channel = '{channel}' or {self.missing("channel")})
                  and (purpose = '{purpose}' or {self.missing("purpose")})
                  and {self.visible("consent")} and {self.counts("consent")}
                  and ({self.missing("decision")} or decision <> 'pending') and not coalesce({scoped}, false)
                group by contact having max("at") filter (where {refusal}) = max("at"))"""
        )
        return " and ".join(gates)

    # Segments.

    def queries(self) -> dict[str, Query]:
        among = " and contact in (select contact from base)"
        return {
            "women_in_states": Query(where=f"{self.women(50, 74)} and {self.in_states('MA', 'NH', 'ME')}"),
            "seven_demographic": Query(where=self.seven_demographic()),
            "birthday": Query(where=self.birthday(7)),
            "near": Query(where=self.near(42.3601, -71.0589, 25)),
            "diabetes": Query(where=f"{self.age(40)} and contact in ({self.diabetes()})"),
            "latest_hba1c": Query(self.latest_hba1c(9)),
            "no_mammogram": Query(where=f"{self.women(50, 74)} and contact not in ({self.mammogram()})"),
            "two_conditions": Query(
                where=f"""contact in ({self.diabetes()}) and contact in ({self.hypertension()})
                    and contact in ({self.medication(common.METFORMIN)})
                    and contact not in ({self.medication(common.STATINS)})"""
            ),
            "no_shows": Query(self.no_shows(2)),
            "opened_mail": Query(self.opened(3)),
            "no_login": Query(f"select contact from ({self.opted_in()}) where contact not in ({self.logged_in()})"),
            "no_event": Query(
                where=f"contact not in ({self.happened()})",
                count=f"select (select count(*) from contact) - count(*) from ({self.happened()})",
            ),
            "first_encounter": Query(self.first_encounter()),
            "click_after_send": Query(self.clicked("flu_shot", 7)),
            "top_clicks": Query(self.top_clicks(5)),
            "all_of_it": Query(
                where=f"""contact in ({self.latest_hba1c(7, among)}) and contact in ({self.no_shows(1, among)})
                    and contact in ({self.opened(2, among)}) and contact not in ({self.logged_in()}{among})""",
                base=f"""{self.women(40, 79)} and {self.in_states("MA", "NH", "ME")}
                    and contact in ({self.diabetes()})""",
            ),
        }
