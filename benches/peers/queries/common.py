"""What every engine's queries are made from: code lists, record kinds, and tests worked out before the clock starts."""

import calendar
import math
from dataclasses import dataclass

from clock import Clock

EARTH_KM = 6371.0088

DIABETES_UNDER = "ICD10CM:E11"
HYPERTENSION = ["ICD10CM:I10"]
METFORMIN = ["RXNORM:6809"]
STATINS = ["RXNORM:83367", "RXNORM:301542", "RXNORM:36567"]
HBA1C = ["LOINC:4548-4", "LOINC:17856-6"]
MAMMOGRAMS = ["CPT:77065", "CPT:77066", "CPT:77067", "SNOMED:71651007"]

# Records that tell of behaviour: "no event of any kind" looks at all of them.
BEHAVIOURAL = [
    "email_sent", "email_delivered", "email_open", "email_click", "email_bounce", "email_complaint",
    "email_unsubscribe", "sms_sent", "sms_reply", "call", "portal_login", "page_view", "form_start", "form_complete",
    "download", "survey_response", "list_signup", "event_signup", "purchase", "order", "event",
]

# After one of these no more mail is sent; of bounces, only after a hard one.
SUPPRESSING = ["email_bounce", "email_complaint", "email_unsubscribe"]

# What the two lists of each segment are for: purpose and channel.
LISTS = {"list": ("operations", "email"), "everyone": ("treatment", "push")}


def hidden(kind: str) -> list[str]:
    """Statuses that hide a record of a kind; a missing one hides nothing."""
    return {
        "medication": ["draft", "cancelled", "entered_in_error"],
        "consent": ["draft", "entered_in_error"],
        "procedure": ["not_done", "entered_in_error"],
        "lab": ["cancelled", "entered_in_error"],
        "encounter": ["cancelled", "entered_in_error"],
        "purchase": ["cancelled", "entered_in_error"],
        "order": ["cancelled", "entered_in_error"],
    }.get(kind, ["entered_in_error"])


def ended(kind: str) -> list[str]:
    """Statuses with which a record without an end is over."""
    return {"condition": ["remission", "resolved", "inactive"], "medication": ["completed", "stopped"]}[kind]


def below(values: list[str], prefix: str) -> list[str]:
    """`code under`: those of the values that lie below a code, whose dot does not count."""
    return [value for value in values if value.replace(".", "").startswith(prefix)]


@dataclass
class Return:
    """Days of one month on which a birth date returns; who was born in that year has no return yet."""

    year: int
    month: int
    first: int
    last: int


def returns(clock: Clock, days: int) -> list[Return]:
    """The yearly returns of a birth date within the next days."""
    months: dict[tuple[int, int], list[int]] = {}
    for day in clock.next_days(days):
        months.setdefault((day.year, day.month), []).append(day.day)
        if (day.month, day.day) == (2, 28) and not calendar.isleap(day.year):
            months[day.year, 2].append(29)
    return [Return(year, month, min(found), max(found)) for (year, month), found in months.items()]


@dataclass
class Circle:
    """Places at most so far from a point, and a box of degrees around them, which is the cheap test."""

    latitude: float
    longitude: float
    km: float
    south: float
    north: float
    west: float
    east: float


def circle(latitude: float, longitude: float, miles: float) -> Circle:
    km = miles * 1.609344
    degrees = math.degrees(km / EARTH_KM) * 1.001
    width = degrees / math.cos(math.radians(abs(latitude) + degrees))
    return Circle(
        latitude, longitude, km, latitude - degrees, latitude + degrees, longitude - width, longitude + width
    )


def places(contacts: int, percent: int) -> int:
    """How many are the top of so many contacts."""
    return -(-contacts * percent // 100)


# What queries read, of contacts and of records; engines that keep everything in memory keep no more.
CONTACT_COLUMNS = [
    "contact", "contact_id", "email", "birth_date", "deceased_on", "gender", "state", "location_lat", "location_lon",
    "income", "insurance_type", "preferred_language", "household_size",
]
RECORD_COLUMNS = {
    "condition": ["code", "end", "verification"], "medication": ["code", "end"], "lab": ["code", "value", "comparator"],
    "procedure": ["code"], "appointment": [], "encounter": [], "email_sent": ["campaign"], "email_click": ["campaign"],
    "email_open": ["machine"], "email_bounce": ["bounce"], "event": ["kind"],
    "consent": ["channel", "purpose", "scope", "decision"],
}


def read_columns() -> dict[str, list[str]]:
    kinds = {kind: [] for kind in BEHAVIOURAL} | RECORD_COLUMNS
    return {"contact": CONTACT_COLUMNS} | {kind: ["contact", "at", "status", *more] for kind, more in kinds.items()}
