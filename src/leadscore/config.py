"""One YAML file configures a project; this is its shape, its defaults and its errors."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from leadscore.contract.tables import TABLES
from leadscore.errors import ConfigError
from leadscore.timeline import Duration

Language = Literal["en", "fr"]
FamilyName = Literal["profile", "volume", "infusion", "drip", "sequence", "values"]


def _duration(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    if not isinstance(value, str):
        raise ValueError(f"found {value!r}, expected a number and a unit such as 90m, 12h, 7d or 2w")  # noqa: TRY004 - pydantic wants ValueError
    return Duration.parse(value)


def _positive(value: Duration) -> Duration:
    if value.microseconds <= 0:
        raise ValueError(f"found {value}, expected more than nothing")
    return value


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, (str, dict)) else value


Span = Annotated[Duration, BeforeValidator(_duration), PlainSerializer(str)]
PositiveSpan = Annotated[
    Duration, BeforeValidator(lambda value: _positive(_duration(value))), PlainSerializer(str)
]
Strings = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Source(_Section):
    """One file layout: which files, and which of their columns is which canonical one."""

    files: Strings = Field(min_length=1, description="Paths or patterns, relative to this file.")
    columns: dict[str, Strings] = Field(
        default_factory=dict,
        description="Canonical column: the file's column (several are joined with ':').",
    )
    constants: dict[str, str] = Field(
        default_factory=dict, description="Canonical column: the same text for each row."
    )
    attributes: Literal["all", "none"] | tuple[str, ...] = Field(
        default="none", description="Other columns to keep: all, none or a list."
    )
    exclude: dict[str, Strings] = Field(
        default_factory=dict, description="Rows to leave out: the file's column and the values that mark them."
    )
    time_formats: Strings = Field(
        default=(), description="strptime formats of the moments, tried in order; ISO 8601 without any."
    )
    encoding: Literal["utf-8", "latin-1", "utf-16"] = Field(default="utf-8", description="Of CSV files.")
    delimiter: str | None = Field(default=None, description="Of CSV files; found out when not given.")


Sources = Annotated[tuple[Source, ...], BeforeValidator(_one_or_many)]


class SourceMap(_Section):
    """Where each canonical table comes from."""

    leads: Sources = Field(min_length=1)
    interactions: Sources = Field(min_length=1)
    outcomes: Sources = ()
    consents: Sources = ()

    @model_validator(mode="after")
    def _columns_are_canonical(self) -> Self:
        problems = []
        for name, table in TABLES.items():
            for number, source in enumerate(getattr(self, name)):
                where = f"{name}.{number}"
                given = {**source.columns, **source.constants}
                problems += [
                    f"{where}: {_unknown(column, table.names)}" for column in given if column not in table.names
                ]
                problems += [
                    f"{where}: required column {column.name!r} is not mapped"
                    for column in table.columns
                    if column.required and column.name not in given
                ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Kind(_Section):
    """What a kind is, where the interactions themselves do not say it."""

    direction: Literal["inbound", "outbound"] | None = None
    channel: str | None = None
    layer: int | None = Field(default=None, ge=1)
    label: dict[Language, str] = Field(default_factory=dict, description="How people call it.")


class Outcomes(_Section):
    """Which outcomes end a lead, in the words of the source (or kinds of interaction)."""

    converted: Strings = Field(min_length=1)
    lost: Strings = ()
    disqualified: Strings = ()
    hidden_kinds: Strings = Field(
        default=(), description="Kinds that are part of an outcome: never used in a feature."
    )

    @property
    def ends(self) -> tuple[str, ...]:
        """Every outcome that ends a lead, converted or not."""
        return self.converted + self.lost + self.disqualified


class AtRisk(_Section):
    """Which leads are still worth a score."""

    closes_after: Span = Field(
        default=Duration(0, "0d"), description="How long after its `closes_at` a lead stays at risk."
    )
    max_age: PositiveSpan | None = Field(default=None, description="Older leads are not at risk.")


class Snapshots(_Section):
    """The grid of moments that teach."""

    spacing: PositiveSpan = Field(default=Duration.parse("1d"), description="Between two moments of the grid.")
    look_back: PositiveSpan = Field(
        default=Duration.parse("365d"), description="How far back before as_of the grid reaches."
    )


class Features(_Section):
    """Which families are on, and their scales."""

    families: tuple[FamilyName, ...] = ("profile", "volume", "infusion", "drip", "sequence", "values")
    windows: tuple[PositiveSpan, ...] = tuple(Duration.parse(text) for text in ("7d", "30d", "90d"))
    half_lives: tuple[PositiveSpan, ...] = tuple(Duration.parse(text) for text in ("3d", "14d", "60d"))
    top_kinds: int = Field(default=20, ge=1, le=200, description="Kinds with columns of their own.")
    top_categories: int = Field(default=20, ge=1, le=200, description="Categories kept per attribute.")


class Model(_Section):
    """Small, strongly regularised trees on a smooth base."""

    trees: int = Field(default=120, ge=0, le=5000)
    leaves: int = Field(default=8, ge=2, le=255)
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    min_rows_per_leaf: int = Field(default=200, ge=1)
    l2: float = Field(default=20.0, ge=0)
    column_share: float = Field(default=0.5, gt=0, le=1)
    base_c: float = Field(default=0.01, gt=0, description="Inverse strength of the base's L2 penalty.")


class Training(_Section):
    """When to train, and what is too little."""

    retrain_after: PositiveSpan = Duration.parse("30d")
    min_conversions: int = Field(default=20, ge=2, description="Fewer converted leads refuse to train.")
    origins: int = Field(default=3, ge=2, le=12, description="Rolling origins for judging and calibrating.")


class Ingest(_Section):
    """How the door behaves."""

    max_rejected_share: float = Field(default=0.05, ge=0, le=1)
    buckets: int = Field(default=16, ge=1, le=1024)


class Delivery(_Section):
    """What a slot holds."""

    valid_for: PositiveSpan | None = Field(
        default=None, description="Until a score expires; the shortest horizon when not given."
    )


class Tracking(_Section):
    """Where MLflow keeps its runs."""

    uri: str | None = Field(default=None, description="Else MLFLOW_TRACKING_URI, else SQLite in the project.")
    experiment: str | None = Field(default=None, description="Else the project's name.")


class Config(_Section):
    """A project. Paths are relative to the folder of the configuration file."""

    project: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    language: Language = "en"
    time_zone: str = "UTC"
    seed: int = Field(default=1, ge=0, lt=2**31)
    data: str = "data"
    models: str = "models"
    out: str = "out"
    sources: SourceMap
    kinds: dict[str, Kind] = Field(default_factory=dict)
    outcomes: Outcomes
    at_risk: AtRisk = AtRisk()
    horizons: Annotated[tuple[PositiveSpan, ...], Field(min_length=3, max_length=3)] = tuple(
        Duration.parse(text) for text in ("14d", "30d", "90d")
    )
    rank_by: PositiveSpan | None = Field(default=None, description="One of the horizons; the middle one else.")
    capacity: int | None = Field(default=None, ge=1, description="Leads per slot; a tenth when not given.")
    snapshots: Snapshots = Snapshots()
    features: Features = Features()
    model: Model = Model()
    training: Training = Training()
    ingest: Ingest = Ingest()
    delivery: Delivery = Delivery()
    tracking: Tracking = Tracking()
    root: Path = Field(default=Path(), exclude=True)

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"found {value!r}, expected a zone such as Europe/Paris") from None
        return value

    @model_validator(mode="after")
    def _horizons_ascend(self) -> Self:
        lengths = [horizon.microseconds for horizon in self.horizons]
        if sorted(set(lengths)) != lengths:
            raise ValueError("horizons: expected three different ones, shortest first")
        if self.rank_by is not None and self.rank_by not in self.horizons:
            raise ValueError(f"rank_by: found {self.rank_by}, expected one of {', '.join(self.horizon_names)}")
        return self

    @property
    def horizon_names(self) -> tuple[str, ...]:
        """The horizons as written: the `14d` of `p_14d`."""
        return tuple(str(horizon) for horizon in self.horizons)

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

    def fingerprint(self) -> str:
        """Name the configuration by everything that can change a delivered score; paths do not."""
        return _digest(_without_paths(self.model_dump(mode="json")))

    def training_fingerprint(self) -> str:
        """Name the configuration by everything that can change a bundle."""
        settings = _without_paths(self.model_dump(mode="json"))
        for key in ("language", "capacity", "delivery", "rank_by"):
            settings.pop(key)
        return _digest(settings)


def _without_paths(settings: dict[str, Any]) -> dict[str, Any]:
    for key in ("data", "models", "out", "tracking", "ingest"):
        settings.pop(key)
    for sources in settings["sources"].values():
        for source in sources:
            source.pop("files")
    return settings


def _digest(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def read_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: the file is absent, is no YAML, or breaks the shape; the message lists every mistake with its
            line, its key path and the nearest known key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such configuration file.",
            "Write one with `leadscore init --leads FILE --interactions FILE`, or name it with -c.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({type(error).__name__}).") from error
    settings, lines = _parse(text, path)
    try:
        return Config.model_validate({**_expand(settings), "root": path.resolve().parent})
    except ValidationError as error:
        mistakes = sorted({_mistake(item, lines) for item in error.errors()})
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        listed = "\n".join(f"  line {line}: {text}" if line else f"  {text}" for line, text in mistakes)
        raise ConfigError(f"{path}: {count} in the configuration:\n{listed}") from None


def _parse(text: str, path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """Parse YAML into settings and the line of each key path; a key given twice is a mistake."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        tab = mark is not None and "\t" in text.splitlines()[min(mark.line, len(text.splitlines()) - 1)]
        hint = "Indent with spaces; YAML allows no tabs." if tab else ""
        raise ConfigError(f"{path}: not valid YAML: {where}{problem}.", hint) from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: expected settings such as `project: name`, found {_class_of(settings)}.")
    lines: dict[tuple[str, ...], int] = {}
    twice = _walk(tree, (), lines)
    if twice:
        raise ConfigError(f"{path}: given twice: " + "; ".join(twice) + ".")
    return settings, lines


def _walk(node: yaml.Node | None, path: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> list[str]:
    twice: list[str] = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            if here in lines:
                twice.append(f"{'.'.join(here)} (line {key.start_mark.line + 1})")
            lines[here] = key.start_mark.line + 1
            twice += _walk(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            here = (*path, str(number))
            lines[here] = value.start_mark.line + 1
            twice += _walk(value, here, lines)
    return twice


_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def _expand(value: Any) -> Any:
    """Replace `${NAME}` and `${NAME:-default}` by the environment's value."""
    if isinstance(value, dict):
        return {key: _expand(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(_variable, value)
    return value


def _variable(found: re.Match[str]) -> str:
    value = os.environ.get(found[1]) or found[2]
    if value is None:
        raise ConfigError(f"${{{found[1]}}}: the environment variable is not set.", "Set it, or give a default: ${NAME:-default}.")
    return value


def _mistake(item: Any, lines: dict[tuple[str, ...], int]) -> tuple[int, str]:
    """Turn one pydantic error into (line, sentence)."""
    path = tuple(str(part) for part in item["loc"])
    while path and path not in lines and path[-1] in {"0", "str", "tuple[str, ...]", "literal['all','none']"}:
        path = path[:-1]
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 0)
    name = ".".join(path)
    if item["type"] == "extra_forbidden":
        return line, f"{'.'.join((*path[:-1], ''))}{_unknown(path[-1], _known_keys(path[:-1]))}"
    if item["type"] == "missing":
        return line, f"{name}: required, but not given"
    text = item["msg"].removeprefix("Value error, ")
    if item["type"] != "value_error":
        text = f"{text[0].lower()}{text[1:]}, found {_class_of(item.get('input'))}"
    return line, f"{name}: {text}" if name else text


def _unknown(key: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f"unknown key {key!r}; {advice}"


def _known_keys(path: tuple[str, ...]) -> tuple[str, ...]:
    """List the keys a section may have, following the path through the models."""
    model: type[BaseModel] = Config
    sections: dict[str, type[BaseModel]] = {
        name: kind
        for name, field in Config.model_fields.items()
        if isinstance(kind := field.annotation, type) and issubclass(kind, BaseModel)
    }
    if path:
        model = sections.get(path[0], Config)
        if path[0] == "sources" and len(path) > 1:
            model = Source
        if path[0] == "kinds":
            model = Kind
    return tuple(name for name in model.model_fields if name != "root")


def _class_of(value: object) -> str:
    """Name a value's class for a message, short and without trusting its content."""
    if value is None:
        return "nothing"
    if isinstance(value, (bool, int, float)):
        return repr(value)
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "…")  # noqa: PLR2004 - a line's worth
    return {"dict": "a section", "list": "a list"}.get(type(value).__name__, type(value).__name__)
