"""The population as the engines keep it, and as a folder of Parquet files for those that load it from there.

One typed table per record kind, sorted by what criteria of this kind name; contacts sorted by state, gender and birth
date and numbered in that order; records refer to the number, never to the id's text; texts with few values are enums;
instants are in UTC. DuckDB sorts and numbers; what is in which order is said here, for all.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

# Raised when the layout changes, so that what lies in the cache is made anew.
LAYOUT = 4
# A text column with at most this many values becomes an enum.
ENUM_VALUES_MAX = 2000
CONTACTS_SORTED_BY = ["state", "gender", "birth_date"]
# In what order the rows of a kind lie: by the field that criteria of the kind name, then by time where criteria name a
# short stretch of it, by contact where they look at all of it. All other kinds are sorted by time alone. Chosen by
# measurement; sorting conditions and medication by contact as well gains nothing.
SORTED_BY = {
    "condition": ["code", "at"], "medication": ["code", "at"], "care_plan": ["code", "at"], "allergy": ["code", "at"],
    "immunization": ["code", "at"], "vital": ["code", "at"], "procedure": ["code", "contact"],
    "lab": ["code", "contact", "at"], "encounter": ["contact", "at"], "appointment": ["status", "contact", "at"],
    "bill": ["status", "at"], "event": ["kind", "at"], "email_sent": ["campaign", "at"],
    "consent": ["channel", "purpose", "contact", "at"],
}


def sorted_by(table: str) -> list[str]:
    return CONTACTS_SORTED_BY if table == "contact" else SORTED_BY.get(table, ["at"])


def order_by(table: str) -> str:
    return ", ".join(f'"{column}"' for column in sorted_by(table))


def fingerprint(population: Path, more: list) -> str:
    """Names a population by its files: another size or time is another population."""
    files = sorted(population.glob("*.parquet"))
    if not any(file.name == "contacts.parquet" for file in files):
        raise SystemExit(f"{population}: no contacts.parquet; write one with `hyperseg generate`")
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps([LAYOUT, more, facts]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Column:
    # As DuckDB names it; ENUM for every enum.
    type: str
    # Of an enum, in the order of their texts.
    values: list[str] | None
    # Whether some row has none.
    missing: bool
    # The least and greatest day or instant.
    first: str | None
    last: str | None
    # Whether every instant is a whole second.
    seconds: bool


class Layout:
    """What is known of the tables before a query is written."""

    def __init__(self, contacts: int, tables: dict[str, dict[str, Column]]):
        self.contacts = contacts
        self.tables = tables

    def is_day(self, table: str, column: str) -> bool:
        return self.tables[table][column].type == "DATE"

    def values(self, table: str, column: str) -> list[str]:
        return self.tables[table][column].values or []

    def missing(self, table: str, column: str) -> bool:
        return self.tables[table][column].missing

    def save(self, path: Path) -> None:
        tables = {table: {name: vars(one) for name, one in columns.items()} for table, columns in self.tables.items()}
        path.write_text(json.dumps({"contacts": self.contacts, "tables": tables}))

    @classmethod
    def load(cls, path: Path) -> "Layout":
        found = json.loads(path.read_text())
        tables = {
            table: {name: Column(**one) for name, one in columns.items()} for table, columns in found["tables"].items()
        }
        return cls(found["contacts"], tables)
