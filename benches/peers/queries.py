"""The workload of `benches/src/workload.rs` in DuckDB's SQL, by hand, with the meaning the language gives it.

Three values: a test on NULL is not true, as in the language. Hidden records, visibility and `active` are written out.
What cannot matter on a generated population is left out: ICD-10 codes in another spelling than with their dot, records
of one kind some of which know the instant and some only the day, and `recorded_at` of records that tie for the latest.
"""

import calendar
import math
from dataclasses import dataclass

import duckdb

from clock import Clock

EARTH_KM = 6371.0088


@dataclass
class Query:
    # The numbers of the members, each once ...
    members: str | None = None
    # ... or, over a table of contacts, the test that members pass ...
    where: str | None = None
    # ... and a test for the few to whom `where`, which calls them `base`, is then put.
    base: str | None = None
    # How many there are, where there is a shorter way than to count them.
    count: str | None = None
    # Whether grouping by contact is faster in an array over all contacts than in a hash table.
    dense: bool = False

    def settings_sql(self) -> str:
        return f"set perfect_ht_threshold = {24 if self.dense else 12}"

    def count_sql(self) -> str:
        if self.count:
            return self.count
        return f"select count(*) from ({self.members})" if self.members else self.rows_sql("contact", "count(*)")

    def rows_sql(self, contacts: str, columns: str = "contact_id, email") -> str:
        if self.members:
            return f"select {columns} from {contacts} join ({self.members}) using (contact)"
        if self.base is None:
            return f"select {columns} from {contacts} where {self.where}"
        base = f"select contact, contact_id, email from {contacts} where {self.base}"
        return f"with base as materialized ({base}) select {columns} from base where {self.where}"


class Sql:
    def __init__(self, connection: duckdb.DuckDBPyConnection, clock: Clock):
        self.connection = connection
        self.clock = clock
        rows = connection.execute("select table_name, column_name, data_type from duckdb_columns()").fetchall()
        self.types = {(table, column): kind for table, column, kind in rows}

    def under(self, kind: str, prefix: str) -> str:
        """`code under`: the enum lies in the order of its texts, so that these codes are a stretch of it."""
        values = self.connection.execute(f'select unnest(enum_range(null::"{kind}_code"))').fetchall()
        below = [value for (value,) in values if value.replace(".", "").startswith(prefix)]
        if not below:
            return "false"
        return f"code between '{below[0]}'::{kind}_code and '{below[-1]}'::{kind}_code"

    def visible(self, kind: str) -> str:
        """Records after as_of are not there."""
        if self.types[kind, "at"] == "DATE":
            return f"\"at\" <= date '{self.clock.today}'"
        return f'"at" < {self.clock.tomorrow}'

    def since(self, kind: str, day) -> str:
        """A window from a day to today."""
        if self.types[kind, "at"] == "DATE":
            return f"\"at\" >= date '{day}' and {self.visible(kind)}"
        return f'"at" >= {self.clock.start_of(day)} and {self.visible(kind)}'

    def counts(self, *statuses: str) -> str:
        """The status is none that hides a record; a missing one hides nothing."""
        return " and ".join(f"status is distinct from '{status}'" for status in statuses)

    def active(self, kind: str, *ended: str) -> str:
        """The record lasts now."""
        end = f"date '{self.clock.today}'" if self.types[kind, "end"] == "DATE" else None
        reaches = f'"end" >= {end}' if end else f"\"end\" >= {self.clock.tomorrow} - interval 1 microsecond"
        return f"{self.visible(kind)} and coalesce({reaches}, {self.counts(*ended)})"

    def age(self, low: int, high: int | None = None) -> str:
        """Completed years today, or at death for those who died before."""
        today = self.clock.today
        # Whoever has reached the age by their death would have reached it by now, which is the cheap test.
        born = f"birth_date <= date '{self.clock.born_by(low)}'"
        alive = "true" if high is None else f"birth_date > date '{self.clock.born_by(high + 1)}'"
        died = f"birth_date + interval {low} year <= least(deceased_on, date '{today}')"
        if high is not None:
            died += f" and birth_date + interval {high + 1} year > least(deceased_on, date '{today}')"
        return f"{born} and case when deceased_on is null then {alive} else {died} end"

    def birthday(self, days: int) -> str:
        """A yearly return of the birth date, after its own year, within the next days."""
        months: dict[tuple[int, int], list[int]] = {}
        for day in self.clock.next_days(days):
            months.setdefault((day.year, day.month), []).append(day.day)
            if (day.month, day.day) == (2, 28) and not calendar.isleap(day.year):
                months[day.year, 2].append(29)
        tests = [
            f"month(birth_date) = {month} and day(birth_date) between {min(found)} and {max(found)} "
            f"and birth_date < date '{year}-01-01'"
            for (year, month), found in months.items()
        ]
        return f"({' or '.join(tests)})"

    def near(self, latitude: float, longitude: float, miles: float) -> str:
        """At most so far away on the sphere; a box of degrees around the circle is the cheap test."""
        km = miles * 1.609344
        degrees = math.degrees(km / EARTH_KM) * 1.001
        width = degrees / math.cos(math.radians(abs(latitude) + degrees))
        sines = f"""power(sin(radians(location_lat - {latitude}) / 2), 2) + cos(radians({latitude}))
            * cos(radians(location_lat)) * power(sin(radians(location_lon - ({longitude})) / 2), 2)"""
        return f"""location_lat between {latitude - degrees} and {latitude + degrees}
            and location_lon between {longitude - width} and {longitude + width}
            and 2 * {EARTH_KM} * asin(sqrt({sines})) <= {km}"""

    def top_clicks(self, percent: int) -> str:
        """All who are not behind so many others; who has no click has none fewer than the last of them."""
        contacts = self.connection.execute("select count(*) from contact").fetchone()[0]
        places = -(-contacts * percent // 100)
        clicks = f"""select contact, count(*) as clicks from email_click
            where {self.since("email_click", self.clock.months_ago(12))} and {self.counts("entered_in_error")}
            group by contact"""
        return f"""with clicked as materialized ({clicks}),
            numbers as (select clicks, count(*) as contacts from clicked group by clicks),
            ranked as (select clicks, sum(contacts) over (order by clicks desc) - contacts as better from numbers)
            select contact from clicked where clicks >= (select min(clicks) from ranked where better < {places})"""

    def diabetes(self) -> str:
        return f"select contact from condition where {self.under('condition', 'ICD10CM:E11')} and {self.sick()}"

    def sick(self) -> str:
        hidden = f"{self.counts('entered_in_error')} and verification is distinct from 'refuted'"
        return f"{hidden} and {self.active('condition', 'remission', 'resolved', 'inactive')}"

    def taken(self) -> str:
        hidden = self.counts("draft", "cancelled", "entered_in_error")
        return f"{hidden} and {self.active('medication', 'completed', 'stopped')}"

    def latest(self, test: str) -> str:
        """The latest record of a group passes the test; of those that tie, one that does is enough."""
        return f'max("at") filter (coalesce({test}, false)) = max("at")'

    def latest_hba1c(self, over: float, among: str = "") -> str:
        # A result that is no number, or one reported as below or above something, is not known to be over it.
        return f"""select contact from lab
            where code in ('LOINC:4548-4', 'LOINC:17856-6') and {self.visible("lab")}
              and {self.counts("cancelled", "entered_in_error")}{among}
            group by contact having {self.latest(f"value > {over} and comparator is null")}"""

    def no_shows(self, least: int, among: str = "") -> str:
        return f"""select contact from appointment
            where status = 'no_show' and {self.since("appointment", self.clock.months_ago(12))}{among}
            group by contact having count(*) >= {least}"""

    def opened(self, least: int, among: str = "") -> str:
        return f"""select contact from email_open
            where {self.since("email_open", self.clock.days_ago(90))}
              and {self.counts("entered_in_error")} and machine is distinct from true{among}
            group by contact having count(*) >= {least}"""

    def logged_in(self) -> str:
        return f"""select contact from portal_login
            where {self.since("portal_login", self.clock.days_ago(60))} and {self.counts("entered_in_error")}"""

    def opted_in(self) -> str:
        return f"""select contact from consent
            where channel = 'email' and purpose = 'marketing' and {self.visible("consent")}
              and {self.counts("draft", "entered_in_error")}
            group by contact having {self.latest("decision = 'grant'")}"""

    def happened(self) -> str:
        """Contacts of the behavioural records of 180 days."""
        parts = []
        for kind in BEHAVIOURAL:
            hidden = ["entered_in_error", "cancelled"] if kind in ("purchase", "order") else ["entered_in_error"]
            machine = " and machine is distinct from true" if kind == "email_open" else ""
            window = self.since(kind, self.clock.days_ago(180))
            parts.append(f'select contact from "{kind}" where {window} and {self.counts(*hidden)}{machine}')
        return f"select contact from ({' union all '.join(parts)}) group by contact"

    def clicked(self, campaign: str, days: int) -> str:
        """A click later than a send of the campaign, at most so many local days later."""
        def day(at: str) -> str:
            return f"(({at} at time zone 'UTC') at time zone '{self.clock.zone.key}')::date"

        return f"""select distinct s.contact from email_sent s join email_click c using (contact, campaign)
            where s.campaign = '{campaign}' and {self.of("s", "email_sent")} and {self.of("c", "email_click")}
              and c."at" > s."at" and c."at" <= s."at" + interval {days + 2} day
              and {day('c."at"')} <= {day('s."at"')} + {days}"""

    def of(self, alias: str, kind: str) -> str:
        """What makes a record of the kind count, under another name."""
        visible = self.visible(kind).replace('"at"', f'{alias}."at"')
        return f"{visible} and {alias}.status is distinct from 'entered_in_error'"

    def first_encounter(self) -> str:
        return f"""select contact from encounter
            where {self.visible("encounter")} and {self.counts("cancelled", "entered_in_error")}
            group by contact having min("at") >= {self.clock.start_of(self.clock.days_ago(30))}"""


BEHAVIOURAL = [
    "email_sent", "email_delivered", "email_open", "email_click", "email_bounce", "email_complaint",
    "email_unsubscribe", "sms_sent", "sms_reply", "call", "portal_login", "page_view", "form_start", "form_complete",
    "download", "survey_response", "list_signup", "event_signup", "purchase", "order", "event",
]


def queries(connection: duckdb.DuckDBPyConnection, clock: Clock) -> dict[str, Query]:
    sql = Sql(connection, clock)
    women = f"gender = 'female' and {sql.age(50, 74)}"
    mammogram = f"""select contact from "procedure"
        where code in ('CPT:77065', 'CPT:77066', 'CPT:77067', 'SNOMED:71651007')
          and {sql.since("procedure", clock.months_ago(24))} and {sql.counts("not_done", "entered_in_error")}"""
    hypertension = f"select contact from condition where code = 'ICD10CM:I10' and {sql.sick()}"
    metformin = f"select contact from medication where code = 'RXNORM:6809' and {sql.taken()}"
    statin = f"""select contact from medication
        where code in ('RXNORM:83367', 'RXNORM:301542', 'RXNORM:36567') and {sql.taken()}"""
    two = f"""contact in ({sql.diabetes()}) and contact in ({hypertension}) and contact in ({metformin})
        and contact not in ({statin})"""
    among = " and contact in (select contact from base)"
    return {
        "women_in_states": Query(where=f"{women} and state in ('MA', 'NH', 'ME')"),
        "seven_demographic": Query(
            where=f"""gender = 'female' and {sql.age(40, 64)} and state in ('MA', 'CA', 'TX', 'NY')
                and income > 50000 and insurance_type in ('commercial', 'medicare_advantage')
                and preferred_language = 'en' and household_size between 2 and 5"""
        ),
        "birthday": Query(where=sql.birthday(7)),
        "near": Query(where=sql.near(42.3601, -71.0589, 25)),
        "diabetes": Query(where=f"{sql.age(40)} and contact in ({sql.diabetes()})"),
        "latest_hba1c": Query(sql.latest_hba1c(9)),
        "no_mammogram": Query(where=f"{women} and contact not in ({mammogram})"),
        "two_conditions": Query(where=two, dense=True),
        "no_shows": Query(sql.no_shows(2)),
        "opened_mail": Query(sql.opened(3)),
        "no_login": Query(f"select contact from ({sql.opted_in()}) where contact not in ({sql.logged_in()})"),
        "no_event": Query(
            where=f"contact not in ({sql.happened()})",
            count=f"select (select count(*) from contact) - count(*) from ({sql.happened()})",
            dense=True,
        ),
        "first_encounter": Query(sql.first_encounter(), dense=True),
        "click_after_send": Query(sql.clicked("flu_shot", 7)),
        "top_clicks": Query(sql.top_clicks(5)),
        "all_of_it": Query(
            where=f"""contact in ({sql.latest_hba1c(7, among)}) and contact in ({sql.no_shows(1, among)})
                and contact in ({sql.opened(2, among)}) and contact not in ({sql.logged_in()}{among})""",
            base=f"""gender = 'female' and {sql.age(40, 79)} and state in ('MA', 'NH', 'ME')
                and contact in ({sql.diabetes()})""",
        ),
    }


def approachable(connection: duckdb.DuckDBPyConnection, clock: Clock, purpose: str, channel: str) -> str:
    """Makes the table of contacts whom consent and suppression allow to approach, and gives its name. For purposes
    that need no authorization: silence is consent. Judged at as_of, as the driver does."""
    sql = Sql(connection, clock)
    address = {"email": "email", "push": "contact_id"}[channel]
    gates = ["deceased_on is null", f"{address} is not null", f"{address} <> ''"]
    if channel == "email":
        for kind in ("email_bounce", "email_complaint", "email_unsubscribe"):
            hard = " and bounce = 'hard'" if kind == "email_bounce" else ""
            tests = f"{sql.visible(kind)} and {sql.counts('entered_in_error')}{hard}"
            gates.append(f"contact not in (select contact from {kind} where {tests})")
    # A refusal wins over a grant of the same moment; a grant of limited scope, and what is pending, say nothing.
    refusal = "(decision is null or decision <> 'grant')"
    scoped = "decision = 'grant' and scope is not null and scope not in ('', 'all')"
    gates.append(
        f"""contact not in (select contact from consent
            where (channel is null or channel = '{channel}') and (purpose is null or purpose = '{purpose}')
              and {sql.visible("consent")} and {sql.counts("draft", "entered_in_error")}
              and (decision is null or decision <> 'pending') and not coalesce({scoped}, false)
            group by contact having max("at") filter (where {refusal}) = max("at"))"""
    )
    table = f"approachable_{purpose}_{channel}"
    connection.execute(f"create or replace table {table} as select * from contact where {' and '.join(gates)} order by contact")
    return table
