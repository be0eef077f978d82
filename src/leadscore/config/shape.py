"""The shape of a configuration: its sections, their defaults and their checks.

Every check stands on the field it is about, never on a whole section: pydantic leaves the checks of a section
out as soon as one of its fields is wrong, and a person should see all mistakes at once.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)

from leadscore.config.crm import Crm, column_mistakes
from leadscore.config.mistakes import Mistake, class_of, refuse, unknown
from leadscore.config.section import Section, Text, as_text
from leadscore.contract.tables import CONSENTS, INTERACTIONS, LEADS, OUTCOMES, Table
from leadscore.errors import ConfigError
from leadscore.language import Language
from leadscore.timeline import DAY, Duration

FamilyName = Literal[
    "profile",
    "volume",
    "percolation",
    "infusion",
    "drip",
    "capillarity",
    "power",
    "echo",
    "sequence",
    "values",
    "context",
]

_OWN_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LONGEST = Duration(36500 * DAY, "36500d")
_MOST_MOMENTS = 10_000  # each makes a row per lead at risk; a year of hours fits, a year of minutes fills any memory


def _duration(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    try:
        duration = Duration.parse(value) if isinstance(value, str) else None
    except ValueError:
        duration = None
    if duration is None or duration > _LONGEST:
        raise ValueError(f"found {class_of(value)}, expected a length such as 90m, 12h, 7d or 2w (at most {_LONGEST})")
    return duration


def _positive_duration(value: object) -> Duration:
    duration = _duration(value)
    if duration.microseconds <= 0:
        raise ValueError(f"found {duration}, expected more than nothing")
    return duration


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, (str, bool, int, float, dict)) else value


def _source_list(value: object) -> object:
    items = [value] if isinstance(value, (dict, Source)) else value
    if isinstance(items, (list, tuple)):
        return [dict(item) if isinstance(item, Source) else item for item in items]
    return items


def _all_none_or_list(value: object) -> object:
    if value in ("all", "none"):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ValueError(f"found {class_of(value)}, expected all, none or a list of the file's columns")


def _record_url(value: object) -> str:
    found = str(as_text(value))
    if not found.startswith(("https://", "http://")) or "{lead_id}" not in found:
        raise ValueError("expected an address with {lead_id} in it, such as https://crm.example.com/leads/{lead_id}")
    return found


Span = Annotated[Duration, BeforeValidator(_duration), PlainSerializer(str)]
PositiveSpan = Annotated[Duration, BeforeValidator(_positive_duration), PlainSerializer(str)]
KindWeight = Annotated[float, Field(ge=0)]
RecordUrl = Annotated[str, BeforeValidator(_record_url)]
Strings = Annotated[tuple[Text, ...], BeforeValidator(_one_or_many)]
Marks = Annotated[tuple[Annotated[str, BeforeValidator(as_text)], ...], BeforeValidator(_one_or_many)]


class Source(Section):
    """One file layout: which files, and which of their columns is which canonical one."""

    table: ClassVar[Table | None] = None

    files: Strings = Field(min_length=1, description="Paths or patterns, relative to this file.")
    columns: dict[str, Annotated[Strings, Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Canonical column: the file's column (several are joined with ':').",
    )
    constants: dict[str, Text] = Field(
        default_factory=dict,
        validate_default=True,
        description="Canonical column: the same text for each row.",
    )
    attributes: Annotated[Literal["all", "none"] | tuple[str, ...], BeforeValidator(_all_none_or_list)] = Field(
        default="none", description="Other columns to keep: all, none or a list."
    )
    exclude: dict[str, Marks] = Field(
        default_factory=dict, description="Rows to leave out: the file's column and the values that mark them."
    )
    time_formats: Strings = Field(
        default=(), description="strptime formats of the moments, tried in order; ISO 8601 without any."
    )
    encoding: Literal["utf-8", "latin-1", "utf-16"] = Field(default="utf-8", description="Of CSV files.")
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=4, description="Of CSV files; found out when not given."
    )

    @field_validator("constants")
    @classmethod
    def _columns_and_constants_fit(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        # Checks the columns, too: refused there, they would be hidden from the checks of the later fields.
        columns = info.data.get("columns")
        mistakes = _unknown_columns(cls.table, "constants", value)
        if columns is not None:
            mistakes += _unknown_columns(cls.table, "columns", columns)
            mistakes += _required_columns(cls.table, {**columns, **value})
            mistakes += [
                Mistake(("constants", name), f"{name!r} is mapped under columns, too; keep one of both")
                for name in value
                if name in columns
            ]
        refuse(mistakes)
        return value

    @field_validator("attributes")
    @classmethod
    def _attributes_are_others(cls, value: str | tuple[str, ...], info: ValidationInfo) -> Any:
        mapped = {column for columns in info.data.get("columns", {}).values() for column in columns}
        if isinstance(value, tuple):
            refuse(
                [
                    Mistake(("attributes", number), f"{name!r} is mapped under columns already")
                    for number, name in enumerate(value)
                    if name in mapped
                ]
                + _repeated("attributes", value)
            )
        return value

    @field_validator("time_formats")
    @classmethod
    def _formats_are_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        refuse(
            [
                Mistake(("time_formats", number), f"found {class_of(text)}, expected one such as '%d/%m/%Y %H:%M'")
                for number, text in enumerate(value)
                if "%" not in text
            ]
        )
        return value


class LeadsSource(Source):
    """A source of leads."""

    table = LEADS


class InteractionsSource(Source):
    """A source of interactions."""

    table = INTERACTIONS


class OutcomesSource(Source):
    """A source of outcomes."""

    table = OUTCOMES


class ConsentsSource(Source):
    """A source of objections and consents."""

    table = CONSENTS


class SourceMap(Section):
    """Where each canonical table comes from: one source or a list of them."""

    leads: Annotated[tuple[LeadsSource, ...], BeforeValidator(_source_list)] = Field(
        min_length=1, description="Files of leads."
    )
    interactions: Annotated[tuple[InteractionsSource, ...], BeforeValidator(_source_list)] = Field(
        min_length=1, description="Files of interactions."
    )
    outcomes: Annotated[tuple[OutcomesSource, ...], BeforeValidator(_source_list)] = Field(
        default=(), description="Files of outcomes; without any, kinds of interaction are the outcomes."
    )
    consents: Annotated[tuple[ConsentsSource, ...], BeforeValidator(_source_list)] = Field(
        default=(), description="Files of objections and consents."
    )


class Forms(Section):
    """What a kind is called when there is one of it, when there are more, and when there is none."""

    one: Text = Field(description="Of one: `page read`.")
    other: Text = Field(description="Of several: `pages read`.")
    zero: Text | None = Field(default=None, description="Of none, with its word for none: `aucune page lue`.")


class Kind(Section):
    """What a kind is, where the interactions themselves do not say it."""

    direction: Literal["inbound", "outbound"] | None = Field(
        default=None, description="`inbound` when the lead does it, `outbound` when we do."
    )
    channel: str | None = Field(default=None, description="The way it comes: mail, web, phone.")
    layer: int | None = Field(default=None, ge=1, description="How deep its content lies, from 1 (surface).")
    label: dict[Language, Text | Forms] = Field(
        default_factory=dict,
        description="How people call it, by language: a text, or its forms `one`, `other` and, if need be, `zero`.",
    )


class Channel(Section):
    """How people call a channel."""

    label: dict[Language, Text] = Field(default_factory=dict, description="How people call it, by language.")


class Attribute(Section):
    """How people call an attribute of leads, and its words."""

    label: dict[Language, Text] = Field(default_factory=dict, description="How people call it, by language.")
    words: dict[str, dict[Language, Text]] = Field(
        default_factory=dict, description="By word of the source: how people say it, by language."
    )


class Outcomes(Section):
    """Which outcomes end a lead, in the words of the source (or kinds of interaction)."""

    converted: Strings = Field(min_length=1, description="Words of a conversion.")
    lost: Strings = Field(default=(), description="Words of an end without conversion.")
    disqualified: Strings = Field(default=(), description="Words for who should never have been a lead.")
    hidden_kinds: Strings = Field(default=(), description="Kinds that are part of an outcome: never used in a feature.")
    known_within: Span = Field(
        default=Duration(0, "0d"),
        description="How late an outcome may be learned; a label counts only that long after its interval has closed.",
    )

    @field_validator("converted", "lost", "disqualified")
    @classmethod
    def _one_meaning_each(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        here = str(info.field_name)
        earlier = {word: name for name, words in info.data.items() for word in words}
        refuse(
            [
                Mistake((here, number), f"{class_of(word)} is in outcomes.{earlier[word]}, too; keep one of both")
                for number, word in enumerate(value)
                if word in earlier
            ]
            + _repeated(here, value)
        )
        return value

    @property
    def ends(self) -> tuple[str, ...]:
        """Every outcome that ends a lead, converted or not."""
        return self.converted + self.lost + self.disqualified


class AtRisk(Section):
    """Which leads are still worth a score."""

    closes_after: Span = Field(
        default=Duration(0, "0d"), description="How long after its `closes_at` a lead stays at risk."
    )
    max_age: PositiveSpan | None = Field(default=None, description="Older leads are not at risk.")


class Snapshots(Section):
    """The grid of moments that teach."""

    spacing: PositiveSpan = Field(default=Duration.parse("1d"), description="Between two moments of the grid.")
    look_back: PositiveSpan = Field(
        default=Duration.parse("365d"),
        validate_default=True,  # a spacing alone can be too long or too short for it
        description="How far back before as_of the grid reaches.",
    )

    @field_validator("look_back")
    @classmethod
    def _holds_a_moment(cls, value: Duration, info: ValidationInfo) -> Duration:
        spacing = info.data.get("spacing")
        if spacing is None:
            return value
        if value.microseconds < spacing.microseconds:
            raise ValueError(f"found {value}, expected at least the spacing ({spacing})")
        moments = value.microseconds // spacing.microseconds
        if moments > _MOST_MOMENTS:
            raise ValueError(
                f"found {value}: {moments:,} moments at a spacing of {spacing} (m is a minute), "
                f"expected at most {_MOST_MOMENTS:,}"
            )
        return value


class Features(Section):
    """Which families are on, and their scales."""

    families: tuple[FamilyName, ...] = Field(
        default=("profile", "percolation", "infusion", "capillarity", "echo", "sequence"),
        min_length=1,
        description="Families that are on.",
    )
    own: Strings = Field(
        default=(), description="Python files with families of your own, each named as its file; they are on, too."
    )
    windows: tuple[PositiveSpan, ...] = Field(
        default=tuple(Duration.parse(text) for text in ("7d", "30d", "90d")),
        min_length=1,
        description="Stretches before as_of in which features count, shortest first.",
    )
    half_lives: tuple[PositiveSpan, ...] = Field(
        default=tuple(Duration.parse(text) for text in ("3d", "14d", "60d")),
        min_length=1,
        description="Times in which a touch loses half of its weight, shortest first.",
    )
    kind_weights: dict[str, KindWeight] = Field(
        default_factory=dict,
        description="How much a touch of a kind warms, the largest counting as 1; learned for kinds not named.",
    )
    channel_half_lives: dict[str, PositiveSpan] = Field(
        default_factory=dict,
        description="Times in which the warmth of a channel halves; learned for channels not named.",
    )
    answer_within: PositiveSpan = Field(
        default=Duration.parse("7d"),
        description="How soon after a push or a message a touch of the lead counts as its answer.",
    )
    top_kinds: int = Field(default=20, ge=1, le=200, description="Kinds with columns of their own.")
    top_categories: int = Field(default=20, ge=1, le=200, description="Categories kept per attribute.")

    @field_validator("families")
    @classmethod
    def _families_once(cls, value: tuple[FamilyName, ...]) -> tuple[FamilyName, ...]:
        refuse(_repeated("families", value))
        return value

    @field_validator("own")
    @classmethod
    def _own_files_name_families(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [Path(path).stem for path in value]
        refuse(
            [
                Mistake(("own", number), f"found {class_of(path)}, expected {told}")
                for number, path in enumerate(value)
                if (told := _wrong_name(Path(path), names[:number]))
            ]
        )
        return value

    @field_validator("windows", "half_lives")
    @classmethod
    def _scales_ascend(cls, value: tuple[Duration, ...]) -> tuple[Duration, ...]:
        return _ascending(value)


class Trees(Section):
    """Small, strongly regularised trees on a smooth base."""

    trees: int = Field(default=120, ge=1, le=5000, description="How many trees.")
    leaves: int = Field(default=8, ge=2, le=255, description="Leaves of each tree, at most.")
    learning_rate: float = Field(default=0.03, gt=0, le=1, description="Share of each tree that counts.")
    min_rows_per_leaf: int = Field(default=200, ge=1, description="Fewest rows a leaf may rest on.")
    l2: float = Field(default=20.0, ge=0, description="L2 penalty on the leaves' values.")
    column_share: float = Field(default=0.25, gt=0, le=1, description="Share of the features each tree sees.")
    base_l2: float = Field(
        default=2000.0,
        gt=0,
        description="L2 penalty of the base, beside a likelihood in which each converted lead counts once.",
    )


class Model(Trees):
    """Base and trees, and how they make a curve over time."""

    shape: Literal["auto", "hazard", "per_horizon"] = Field(
        default="auto",
        description="How the curve is made: a hazard per interval, a classifier per horizon, or what the rolling "
        "backtest prefers.",
    )
    members: int = Field(
        default=4,
        ge=0,
        le=12,
        description="Models that each leave one stretch of the past out; their spread says how sure a chance is.",
    )


class Training(Section):
    """When to train, and what is too little."""

    retrain_after: PositiveSpan = Field(
        default=Duration.parse("30d"), description="How old a model may grow before `run` trains again."
    )
    min_conversions: int = Field(default=20, ge=2, description="Fewer converted leads refuse to train.")
    origins: int = Field(default=3, ge=2, le=12, description="Rolling origins for judging and calibrating.")
    max_training_rows: int = Field(
        default=1_000_000,
        ge=1000,
        description="More snapshots are thinned to so many: all that converted stay, the others by weight.",
    )
    recency_half_life: PositiveSpan | None = Field(
        default=None, description="How far back a snapshot counts half; all count alike when not given."
    )


class Backtest(Section):
    """How the recipe is judged by `leadscore backtest`."""

    origins: tuple[Text, ...] = Field(
        default=(), description="Moments to train at, ISO 8601, oldest first; laid over the past when not given."
    )
    cohort: tuple[Span, ...] = Field(
        default=(), description="How long after each of these origins leads are looked at, shortest first."
    )
    segments: Strings = Field(default=(), description="Attributes of leads by whose values figures are shown, too.")

    @field_validator("cohort")
    @classmethod
    def _cohort_ascends(cls, value: tuple[Duration, ...], info: ValidationInfo) -> tuple[Duration, ...]:
        if bool(value) != bool(info.data.get("origins")):
            raise ValueError("origins and cohort go together: give both, or neither")
        return _ascending(value)


class Guard(Section):
    """What the leak guard refuses."""

    refuse_at: float = Field(
        default=0.75, gt=0, le=1, description="Evidence of a leak from which on training is refused, from 0 to 1."
    )
    allow: Strings = Field(default=(), description="Columns and kinds that are no leak, whatever they look like.")


class Ingest(Section):
    """How the door behaves."""

    max_rejected_share: float = Field(
        default=0.05, ge=0, le=1, description="A larger share of rejected rows stops the run before it writes."
    )
    buckets: int = Field(default=16, ge=1, le=1024, description="Parts the store is divided into.")


Action = Literal["call", "nurture", "rest", "explore", "none"]
Grade = Literal["A", "B", "C", "D"]
KnownWord = Literal["high", "medium", "low", "unknowable"]
TrendWord = Literal["improving", "steady", "declining", "not_enough_info"]


class Rule(Section):
    """What to do with a lead, and with which: all that is said must fit; what is not said fits every lead."""

    action: Action = Field(description="call, nurture, rest, explore, or none.")
    grade: Annotated[tuple[Grade, ...], BeforeValidator(_one_or_many)] = Field(default=(), description="Its grade.")
    known: Annotated[tuple[KnownWord, ...], BeforeValidator(_one_or_many)] = Field(
        default=(), description="How much is known of it."
    )
    trend: Annotated[tuple[TrendWord, ...], BeforeValidator(_one_or_many)] = Field(
        default=(), description="Where it goes."
    )
    unanswered: int = Field(default=0, ge=0, description="So many of our contacts, or more, wait for its answer.")

    def fits(self, grade: str, known: str, trend: str, unanswered: int) -> bool:
        """Tell whether the rule is about a lead."""
        words = ((self.grade, grade), (self.known, known), (self.trend, trend))
        return unanswered >= self.unanswered and all(not given or word in given for given, word in words)


_RULES = (
    Rule(action="call", grade=("A",)),
    Rule(action="rest", unanswered=6),
    Rule(action="rest", unanswered=3, trend=("declining",)),
    Rule(action="nurture", grade=("B", "C")),
)


class Delivery(Section):
    """What a slot holds."""

    valid_for: PositiveSpan | None = Field(
        default=None, description="Until a score expires; the shortest horizon when not given."
    )
    columns: Strings = Field(
        default=(), description="Attributes of leads that workbook and page show beside the score, such as a name."
    )
    record_url: RecordUrl | None = Field(
        default=None, description="Address of a lead in the CRM, `{lead_id}` for its key: workbook and page link to it."
    )
    actions: tuple[Rule, ...] = Field(
        default=_RULES, description="What to do with a lead: the first rule that fits decides, nothing where none does."
    )
    explore_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of the leads little is known of that are drawn to be explored, so that we learn.",
    )
    explore_most: int | None = Field(
        default=None, ge=0, description="How many are drawn at most; a tenth of what the team works when not given."
    )
    panels: int = Field(default=500, ge=0, le=10_000, description="How many leads have their story told on the page.")


class Tracking(Section):
    """Where MLflow keeps its runs."""

    uri: str | None = Field(default=None, description="Else MLFLOW_TRACKING_URI, else SQLite in the project.")
    experiment: str | None = Field(default=None, description="Else the project's name.")


@dataclass(frozen=True)
class OwnFile:
    """The file of a family of the project's own, as it was when it was first asked for."""

    name: str
    path: str
    text: str

    @property
    def digest(self) -> str:
        """Name the content: sixteen hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


class Config(Section):
    """A project. Paths are relative to the folder of the configuration file."""

    project: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="Name of the project, of its model and its slots.",
    )
    language: Language = Field(default="en", description="Of reasons and reports.")
    time_zone: str = Field(default="UTC", description="Zone of local times without an offset.")
    seed: int = Field(default=1, ge=0, lt=2**31, description="Settles every draw.")
    data: Text = Field(default="data", description="Folder of the store and of rejected rows.")
    models: Text = Field(default="models", description="Folder of the bundles.")
    out: Text = Field(default="out", description="Folder of the slots.")
    sources: SourceMap = Field(description="Which files, and which of their columns is which canonical one.")
    kinds: dict[str, Kind] = Field(
        default_factory=dict, description="What a kind is, where the interactions do not say it."
    )
    channels: dict[str, Channel] = Field(default_factory=dict, description="How people call the channels.")
    attributes: dict[str, Attribute] = Field(
        default_factory=dict, description="How people call the attributes of leads, and their words."
    )
    outcomes: Outcomes = Field(description="Which outcomes end a lead.")
    at_risk: AtRisk = Field(default=AtRisk(), description="Which leads are still worth a score.")
    horizons: tuple[PositiveSpan, ...] = Field(
        default=tuple(Duration.parse(text) for text in ("14d", "30d", "90d")),
        min_length=3,
        max_length=3,
        description="How far ahead we look: three lengths, shortest first.",
    )
    rank_by: PositiveSpan | None = Field(default=None, description="One of the horizons; the middle one else.")
    capacity: int | None = Field(default=None, ge=1, description="Leads per slot; a tenth when not given.")
    snapshots: Snapshots = Field(default=Snapshots(), description="The grid of moments that teach.")
    features: Features = Field(default=Features(), description="Which families are on, and their scales.")
    model: Model = Field(default=Model(), description="Size and regularisation of the model.")
    training: Training = Field(default=Training(), description="When to train, and what is too little.")
    backtest: Backtest = Field(
        default=Backtest(), validate_default=True, description="How the recipe is judged by `leadscore backtest`."
    )
    guard: Guard = Field(default=Guard(), description="What the leak guard refuses.")
    ingest: Ingest = Field(default=Ingest(), description="How the door behaves.")
    delivery: Delivery = Field(default=Delivery(), description="What a slot holds.")
    crm: Crm = Field(default=Crm(), description="Which CRM systems get a file in each slot.")
    tracking: Tracking = Field(default=Tracking(), description="Where MLflow keeps its runs.")
    root: Path = Field(default=Path(), exclude=True, description="Folder of the file; not a setting.")

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            near = difflib.get_close_matches(value, sorted(available_timezones()), n=1)
            advice = f"did you mean {near[0]}?" if near else "expected a zone such as Europe/Paris"
            raise ValueError(f"found {class_of(value)}; {advice}") from None
        return value

    @field_validator("horizons")
    @classmethod
    def _horizons_ascend(cls, value: tuple[Duration, ...]) -> tuple[Duration, ...]:
        return _ascending(value)

    @field_validator("crm")
    @classmethod
    def _crm_columns_will_be_there(cls, value: Crm, info: ValidationInfo) -> Crm:
        delivery, horizons = info.data.get("delivery"), info.data.get("horizons")
        if delivery is not None and horizons is not None:
            refuse(column_mistakes(value, [str(horizon) for horizon in horizons], delivery.columns))
        return value

    @field_validator("rank_by")
    @classmethod
    def _ranks_by_a_horizon(cls, value: Duration | None, info: ValidationInfo) -> Duration | None:
        horizons = info.data.get("horizons")
        if value is None or horizons is None:
            return value
        same = [horizon for horizon in horizons if horizon.microseconds == value.microseconds]
        if not same:
            raise ValueError(f"found {value}, expected one of {', '.join(map(str, horizons))}")
        found: Duration = same[0]  # as the horizon is written, whether 1w or 7d was
        return found

    @property
    def horizon_names(self) -> tuple[str, ...]:
        """The horizons as written: the `14d` of `p_14d`."""
        return tuple(str(horizon) for horizon in self.horizons)

    @property
    def closes(self) -> tuple[int, ...]:
        """How long after a moment what came of it by each horizon is known, in microseconds."""
        return tuple(horizon.microseconds + self.outcomes.known_within.microseconds for horizon in self.horizons)

    @property
    def rank_index(self) -> int:
        """Position of the horizon the list is ranked by."""
        return 1 if self.rank_by is None else self.horizons.index(self.rank_by)

    @property
    def data_path(self) -> Path:
        """Folder of the store and the rejected rows."""
        return self.root / self.data

    @property
    def models_path(self) -> Path:
        """Folder of the bundles."""
        return self.root / self.models

    @property
    def out_path(self) -> Path:
        """Folder of the slots."""
        return self.root / self.out

    @property
    def state_path(self) -> Path:
        """Folder of MLflow's and Prefect's own state, and of the locks."""
        return self.root / ".leadscore"

    @cached_property
    def own_files(self) -> tuple[OwnFile, ...]:
        """The files of `features.own`, read once: what is fingerprinted is what runs.

        Raises:
            ConfigError: one cannot be read.
        """
        return tuple(_own_file(self.root, path) for path in self.features.own)

    def fingerprint(self) -> str:
        """Name the configuration by everything that can change a delivered score; paths do not."""
        return _digest(self._told())

    def training_fingerprint(self) -> str:
        """Name the configuration by everything that can change a bundle."""
        settings = self._told()
        for key in ("language", "capacity", "delivery", "crm"):
            settings.pop(key)
        return _digest(settings)

    def _told(self) -> dict[str, Any]:
        settings = _without_paths(self.model_dump(mode="json"))
        settings["features"]["own"] = [[file.name, file.digest] for file in self.own_files]
        return settings


def _own_file(root: Path, path: str) -> OwnFile:
    hint = "Check features.own: paths are relative to the configuration's folder."
    try:
        return OwnFile(Path(path).stem, path, (root / path).read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text.", "Save it as UTF-8 in your editor.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"{path}: this family of your own cannot be read ({reason}).", hint) from error


def _wrong_name(path: Path, earlier: list[str]) -> str:
    """Say what is expected of a file instead, whose name is that of a family; empty when it will do."""
    if path.suffix != ".py" or not _OWN_NAME.fullmatch(path.stem):
        return "a Python file whose name is small letters, digits and '_', such as families/holidays.py"
    if path.stem in get_args(FamilyName):
        return f"another name: {path.stem} is a family of leadscore"
    return f"another name: {path.stem} is given twice" if path.stem in earlier else ""


def _unknown_columns(table: Table | None, field: str, given: dict[str, Any]) -> list[Mistake]:
    if table is None:
        return []
    return [unknown((field, name), table.names) for name in given if name not in table.names]


def _required_columns(table: Table | None, given: dict[str, Any]) -> list[Mistake]:
    return [
        Mistake(("columns", column.name), "required, but not given (nor under constants)", absent=True)
        for column in (table.columns if table else ())
        if column.required and column.name not in given
    ]


def _repeated(field: str, words: tuple[str, ...]) -> list[Mistake]:
    return [
        Mistake((field, number), f"{class_of(word)} is given twice")
        for number, word in enumerate(words)
        if word in words[:number]
    ]


def _ascending(durations: tuple[Duration, ...]) -> tuple[Duration, ...]:
    lengths = [duration.microseconds for duration in durations]
    if sorted(set(lengths)) != lengths:
        raise ValueError(f"found {', '.join(map(str, durations))}, expected different ones, shortest first")
    return durations


def _without_paths(settings: dict[str, Any]) -> dict[str, Any]:
    for key in ("data", "models", "out", "tracking", "ingest", "backtest", "guard"):
        settings.pop(key)
    for sources in settings["sources"].values():
        for source in sources:
            source.pop("files")
    return settings


def _digest(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def section_of(annotation: Any) -> tuple[Any, bool]:
    """Find the section a field holds (None when none), and whether as items of a list or a dictionary."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for inner in get_args(annotation):
        section, _ = section_of(inner)
        if section is not None:
            return section, get_origin(annotation) in (tuple, dict)
    return None, False
