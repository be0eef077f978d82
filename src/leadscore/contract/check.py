"""What a good row is: rules as named SQL expressions made from the column specs, and classes of values for messages.

A rule is true of a row that breaks it. Every rule looks at one column, as `text_<name>` (what the source says, trimmed,
NULL when empty) and `<name>` (what became of it, NULL when it is not of the column's type). Rules that need other rows
(an unknown lead, an outcome before its lead, two versions at once) are in `leadscore.ingest.judge`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from leadscore.contract.tables import Column, Table
from leadscore.timeline import DAY, parse_moment

RULES = {
    "required_missing": "A required column has no value.",
    "not_a_moment": "Not ISO 8601, and none of the source's `time_formats`.",
    "not_a_number": "Not a plain decimal number with a point; NaN and infinities are none.",
    "not_an_integer": "Not a whole number.",
    "not_a_direction": "Neither inbound nor outbound.",
    "not_a_status": "Neither objection nor consent; a file of opt-outs alone takes `constants: {status: objection}`.",
    "out_of_range": "A moment before 1970 or after 2100.",
    "in_the_future": "A moment more than a day after the row came in.",
    "malformed_row": "The row could not be cut into columns.",
    "unknown_lead": "The lead is not in the leads table.",
    "outcome_before_creation": "The outcome occurred before its lead was created.",
    "ambiguous_version": "The same lead at the same moment with different content.",
}
"""Every rule by the part of its name before the colon, with its meaning."""

EARLIEST = 0
LATEST = parse_moment("2100-01-01", "UTC")

_NOT_A = {
    "moment": "not_a_moment",
    "number": "not_a_number",
    "integer": "not_an_integer",
    "direction": "not_a_direction",
    "status": "not_a_status",
}
# When a lead ends by itself is known in advance, so it alone may lie ahead.
_MAY_LIE_AHEAD = frozenset({"closes_at"})


@dataclass(frozen=True)
class Rule:
    """A named condition.

    Attributes:
        name: `<rule>:<column>`, as counted and as written beside rejected rows.
        broken: SQL that is true (never NULL) for a row that breaks the rule.
    """

    name: str
    broken: str


def row_rules(table: Table, seen_at: int) -> tuple[Rule, ...]:
    """List the rules one row can break by itself, in the order of the columns."""
    return tuple(rule for column in table.columns for rule in _column_rules(column, seen_at))


def _column_rules(column: Column, seen_at: int) -> list[Rule]:
    name, text = column.name, f"text_{column.name}"
    rules = []
    if column.required:
        rules.append(Rule(f"required_missing:{name}", f"{text} is null"))
    if column.type in _NOT_A:
        rules.append(Rule(f"{_NOT_A[column.type]}:{name}", f"{text} is not null and {name} is null"))
    if column.type == "moment":
        outside = f"{name} < {EARLIEST} or {name} >= {LATEST}"
        rules.append(Rule(f"out_of_range:{name}", f"coalesce({outside}, false)"))
        if name not in _MAY_LIE_AHEAD:
            ahead = f"{name} > {seen_at + DAY} and {name} < {LATEST}"
            rules.append(Rule(f"in_the_future:{name}", f"coalesce({ahead}, false)"))
    return rules


def rules_broken(rules: tuple[Rule, ...]) -> str:
    """Give SQL for the names of all rules a row breaks, joined by spaces; the empty text when it breaks none."""
    cases = [f"case when {rule.broken} then '{rule.name}' end" for rule in rules]
    return f"concat_ws(' ', {', '.join(cases)})"


def rule_column(rule: str) -> str:
    """Name the canonical column a rule speaks of; the empty text when it speaks of the whole row.

    >>> rule_column("not_a_moment:occurred_at"), rule_column("unknown_lead"), rule_column("malformed_row")
    ('occurred_at', 'lead_id', '')
    """
    whole_row = {"unknown_lead": "lead_id", "outcome_before_creation": "occurred_at", "ambiguous_version": "known_at"}
    return rule.partition(":")[2] or whole_row.get(rule, "")


_CLASSES = (
    (r"", "empty"),
    (r"\d{1,2}[/.-]\d{1,2}[/.-](\d{4}|\d{2})\b.*", "a date as dd/mm/yyyy or mm/dd/yyyy"),
    (r"\d{4}[/.]\d{1,2}[/.]\d{1,2}\b.*", "a date as yyyy/mm/dd"),
    (r"\d{4}-\d{2}-\d{2}([T ].*)?", "a date as yyyy-mm-dd"),
    (r"(19|20)\d{6}", "a date as yyyymmdd"),
    (r"\d{10}(\.\d+)?|\d{13}|\d{16}|\d{19}", "a unix time"),
    (r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", "a number"),
    (r"[+-]?[\d .]*\d,\d+", "a number with a comma"),
    (r"(?i:[+-]?(nan|inf|infinity))", "not a number"),
    (r"[^\W\d_]+", "a word"),
)


def value_class(text: str | None) -> str:
    """Say what a value looks like without showing it: a message never holds a person's data.

    >>> [value_class(text) for text in (None, "3/4/2024 10:00", "1700000000", "Léa", "a@b.c")]
    ['empty', 'a date as dd/mm/yyyy or mm/dd/yyyy', 'a unix time', 'a word', 'text']
    """
    trimmed = (text or "").strip()
    return next((name for pattern, name in _CLASSES if re.fullmatch(pattern, trimmed, re.DOTALL)), "text")
