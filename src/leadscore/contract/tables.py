"""The canonical tables: one frozen spec per column, said once and used from the door to the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Type = Literal["text", "account", "moment", "number", "integer", "direction", "status", "attributes"]


@dataclass(frozen=True)
class Column:
    """One column of a canonical table.

    Attributes:
        name: Canonical name.
        type: What a value must be: `text`; `account` (text; a mail address becomes its domain, a free-mail domain
            none); `moment` (UTC after the door); `number`; `integer`; `direction` (inbound or outbound); `status`
            (objection or consent); `attributes` (a JSON object, keys sorted).
        required: A row without a value is rejected.
        meaning: One sentence; also the configuration reference.
    """

    name: str
    type: Type
    required: bool
    meaning: str


@dataclass(frozen=True)
class Table:
    """A canonical table: its name, its grain and its columns in order."""

    name: str
    grain: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return the column of that name; a KeyError means wrong use inside the code."""
        return {column.name: column for column in self.columns}[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns a source may be mapped onto."""
        return tuple(column.name for column in self.columns if column.type != "attributes")


_LEAD_ID = Column("lead_id", "text", True, "Who: the key of the lead.")
_OCCURRED_AT = Column("occurred_at", "moment", True, "When it happened.")
_KNOWN_AT = Column("known_at", "moment", False, "When we learned it; without it, when it happened.")
_ATTRIBUTES = Column("attributes", "attributes", False, "Any other columns kept, as a JSON object.")

LEADS = Table(
    "leads",
    "One row per version of a lead: (lead_id, known_at).",
    (
        _LEAD_ID,
        Column(
            "account_id",
            "account",
            False,
            "The organisation or household the lead belongs to. A mail address will do: its domain is kept, never the "
            "address, and a free-mail domain (gmail.com, orange.fr) makes no account.",
        ),
        Column("referrer_id", "text", False, "The lead that brought this one: its lead_id."),
        Column("created_at", "moment", True, "When the lead came into being."),
        Column("closes_at", "moment", False, "When the lead ends by itself, if that is known in advance."),
        Column("known_at", "moment", False, "When we learned this version; without it, the creation."),
        _ATTRIBUTES,
    ),
)

INTERACTIONS = Table(
    "interactions",
    "One row per interaction; exact repeats are one.",
    (
        _LEAD_ID,
        _OCCURRED_AT,
        _KNOWN_AT,
        Column("kind", "text", True, "What sort of interaction."),
        Column("channel", "text", False, "The way it came."),
        Column("direction", "direction", False, "`inbound` when the lead did it, `outbound` when we did."),
        Column("content_id", "text", False, "The item touched."),
        Column("layer", "integer", False, "How deep the content lies, from 1 (surface)."),
        Column("topic", "text", False, "What it is about."),
        Column("campaign_id", "text", False, "The campaign it belongs to."),
        Column("source_id", "text", False, "The third party that spoke of us."),
        Column("value", "number", False, "A number that comes with it: a basket, a duration."),
        _ATTRIBUTES,
    ),
)

OUTCOMES = Table(
    "outcomes",
    "One row per outcome of a lead; the first that occurred counts.",
    (
        _LEAD_ID,
        _OCCURRED_AT,
        _KNOWN_AT,
        Column("outcome", "text", True, "What came of the lead, in the words of the source."),
    ),
)

CONSENTS = Table(
    "consents",
    "One row per statement of a lead; the last one for a purpose counts.",
    (
        _LEAD_ID,
        _OCCURRED_AT,
        _KNOWN_AT,
        Column("purpose", "text", False, "What for; without it, for everything."),
        Column("status", "status", True, "`objection` (the lead says no) or `consent`."),
    ),
)

TABLES = {table.name: table for table in (LEADS, INTERACTIONS, OUTCOMES, CONSENTS)}
