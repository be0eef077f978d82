"""Which CRM systems get a file in each slot, and how they call our columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from leadscore.config.mistakes import Mistake, class_of, refuse, unknown
from leadscore.config.section import Section, Text

CODES: Mapping[str, tuple[str, ...]] = {
    "grade": ("A", "B", "C", "D"),
    "trend": ("improving", "steady", "declining", "not_enough_info"),
    "action": ("call", "nurture", "rest", "explore", "none"),
    "known": ("high", "medium", "low", "unknowable"),
}
"""Columns with a closed list of values, and these."""

REASONS = ("reason_1", "reason_2", "reason_3")
"""Columns of ours that only CRM files have: a reason as text that says whether it speaks for the lead or against it."""

_FIXED = (
    *("lead_id", "account_id", "as_of", "run_id", "model_version", "rank", "score", *CODES, "p_lo", "p_hi"),
    *("score_prev", *REASONS, "expires_at"),
    *(f"{reason}_{part}" for reason in REASONS for part in ("code", "text", "sign")),
)
_TOLD = ("score", *(code for code in CODES if code != "known"), *REASONS, "as_of", "expires_at")
_CALLED = {"as_of": "scored_on", "expires_at": "valid_until"}

# A standard field's API name has no underscore, a custom one ends in __c; a namespace may come before it.
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*|[A-Za-z](?:_?[A-Za-z0-9])*(?:__[A-Za-z0-9](?:_?[A-Za-z0-9])*)?__c")


class Mapped(Section):
    """A CRM whose fields are named in the configuration."""

    id: Text = Field(
        default="lead_id",
        description="Our column with the id this CRM knows a lead by: `lead_id`, or one of `delivery.columns`.",
    )
    key: Text = Field(default="lead_id", description="Header of that id in the file.")
    columns: dict[str, Text] = Field(
        min_length=1,
        validate_default=True,  # the key's header alone may be one of theirs
        description="Our column: its header. Those of `scores.parquet`, `reason_1` to `reason_3` (the sentence, and "
        "whether it speaks for the lead), and `delivery.columns`.",
    )
    options: dict[Literal["grade", "trend", "action", "known"], dict[str, Text]] = Field(
        default_factory=dict,
        description="By column, our code: what the CRM calls this option. Codes not named stay as they are.",
    )

    words: tuple[Literal["trend", "action", "known"], ...] = Field(
        default=(),
        description="Columns written as people read them, in the project's language, save the codes under `options`. "
        "Others hold codes, to which a picklist gives labels of its own.",
    )

    @field_validator("columns")
    @classmethod
    def _headers_differ(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        taken: dict[str, str] = {str(info.data.get("key", "")).lower(): "key"}
        mistakes: list[Mistake] = []
        for name, header in value.items():
            other = taken.setdefault(header.lower(), f"columns.{name}")
            if other != f"columns.{name}":
                mistakes.append(Mistake(("columns", name), f"{class_of(header)} is the header of {other}, too"))
        refuse(mistakes)
        return value

    @field_validator("options")
    @classmethod
    def _codes_are_ours(cls, value: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        refuse(
            [
                unknown(("options", name, code), CODES[name])
                for name, words in value.items()
                for code in words
                if code not in CODES[name]
            ]
        )
        return value


class HubSpot(Mapped):
    """`hubspot.csv`, for HubSpot's import."""

    key: Text = Field(
        default="Record ID",
        description="Header of that id: `Record ID`, `Email`, or a property that HubSpot keeps unique.",
    )
    columns: dict[str, Text] = Field(
        default={name: f"leadscore_{_CALLED.get(name, name)}" for name in _TOLD},
        min_length=1,
        validate_default=True,
        description="Our column: the property's internal name. Our columns are those of `scores.parquet`, `reason_1` "
        "to `reason_3` (the sentence, and whether it speaks for the lead), and `delivery.columns`.",
    )


class Salesforce(Mapped):
    """`salesforce.csv` and `salesforce.sdl`, for Data Loader or the Bulk API."""

    key: Text = Field(
        default="Id", description="Field with that id: `Id` (update), or an external id ending in `__c` (upsert)."
    )
    columns: dict[str, Text] = Field(
        default={name: f"Leadscore_{_CALLED.get(name, name).title()}__c" for name in _TOLD},
        min_length=1,
        validate_default=True,
        description="Our column: the field's API name, which is the header, too. Our columns are those of "
        "`scores.parquet`, `reason_1` to `reason_3` and `delivery.columns`.",
    )
    text_length: int = Field(
        default=255,
        ge=20,
        le=32_000,
        description="Longest text its fields take: 255 for Text and Text Area; up to 32000, the most Data Loader reads "
        "of a field, for Long Text Area. Longer ones are cut.",
    )

    @field_validator("key")
    @classmethod
    def _key_is_an_id(cls, value: str) -> str:
        if value != "Id" and not (_API_NAME.fullmatch(value) and value.endswith("__c")):
            raise ValueError(f"found {class_of(value)}, expected Id, or an external id such as Leadscore_Id__c")
        return value

    @field_validator("columns")
    @classmethod
    def _fields_are_api_names(cls, value: dict[str, str]) -> dict[str, str]:
        refuse(
            [
                Mistake(("columns", name), f"found {class_of(field)}, expected an API name such as Lead_Score__c")
                for name, field in value.items()
                if not _API_NAME.fullmatch(field)
            ]
        )
        return value


class Dynamics(Section):
    """`dynamics.csv`, with the columns of Dynamics 365 Sales' table `msdyn_predictivescores`."""

    id: Text = Field(
        default="lead_id",
        description="Our column with the lead's GUID in Dynamics: `lead_id`, or one of `delivery.columns`.",
    )
    reasons: Literal["json", "none"] = Field(
        default="json",
        description="What stands in `msdyn_scorereasons`: a JSON list of sentences with their signs, or nothing. "
        "Microsoft does not say how that column should look.",
    )


class Generic(Mapped):
    """`generic.csv`, as some other system wants it."""

    encoding: Literal["utf-8", "utf-8-sig", "windows-1252"] = Field(
        default="utf-8",
        description="`utf-8-sig` begins with a byte order mark, by which Excel knows it. What `windows-1252` lacks "
        "becomes `?` in texts; a lead whose id it lacks is left out.",
    )
    delimiter: Literal[",", ";", "|", "tab"] = Field(default=",", description="Between two cells.")
    line_end: Literal["crlf", "lf"] = Field(default="crlf", description="At the end of each line.")
    decimal: Literal[".", ","] = Field(default=".", description="Decimal sign of chances.")
    text_length: int | None = Field(default=None, ge=20, description="Longest text; longer ones are cut.")


class Crm(Section):
    """A file per CRM system; a system that is not named gets none, one named with `{}` gets it with all defaults."""

    step: int = Field(
        default=5,
        ge=1,
        le=98,
        description="By how many points a score must have moved since a CRM was last told of a lead, to be told again. "
        "A new lead, another grade or action, and a score that has expired are told always.",
    )
    hubspot: HubSpot | None = Field(default=None, description="HubSpot.")
    salesforce: Salesforce | None = Field(default=None, description="Salesforce.")
    dynamics: Dynamics | None = Field(default=None, description="Dynamics 365 Sales.")
    generic: Generic | None = Field(default=None, description="Any other system.")

    @property
    def systems(self) -> dict[str, Mapped | Dynamics]:
        """The systems that get a file, by name."""
        every = {"hubspot": self.hubspot, "salesforce": self.salesforce, "dynamics": self.dynamics}
        return {name: system for name, system in {**every, "generic": self.generic}.items() if system is not None}


def column_mistakes(crm: Crm, horizons: Sequence[str], shown: Sequence[str]) -> list[Mistake]:
    """List the columns of ours that a system asks for and no slot will have.

    Args:
        crm: The section.
        horizons: As configured: `14d`.
        shown: More columns asked for (`delivery.columns`).
    """
    return list(_column_mistakes(crm, (*_FIXED, *(f"p_{name}" for name in horizons), *shown), ("lead_id", *shown)))


def _column_mistakes(crm: Crm, known: tuple[str, ...], ids: tuple[str, ...]) -> Iterator[Mistake]:
    for name, system in crm.systems.items():
        if system.id not in ids:
            yield Mistake(("crm", name, "id"), f"found {class_of(system.id)}, expected one of {', '.join(ids)}")
        columns = system.columns if isinstance(system, Mapped) else ()
        yield from (unknown(("crm", name, "columns", column), known) for column in columns if column not in known)
