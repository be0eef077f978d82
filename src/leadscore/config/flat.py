"""The shape of a configuration for a flat export: one row per lead, attributes and a yes or no, no dates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from leadscore.config.mistakes import Mistake, class_of, refuse
from leadscore.config.reading import read_shape
from leadscore.config.section import Section, Text
from leadscore.config.shape import (
    Guard,
    Strings,
    Tracking,
    Trees,
    _digest,
    _repeated,
)
from leadscore.language import Language


def _all_or_list(value: object) -> object:
    if value == "all":
        return value
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ValueError(f"found {class_of(value)}, expected all, or a list of the file's columns")


class Flat(Section):
    """Which files, and what their columns are."""

    files: Strings = Field(min_length=1, description="Paths or patterns of what teaches, relative to this file.")
    score_files: Strings = Field(
        default=(), description="What `leadscore score --flat` scores; `files` when not given. May lack the target."
    )
    lead_id: Text = Field(description="Column that names the lead: one row each.")
    target: Text = Field(description="Column with the yes or no; a row without one teaches nothing.")
    positive: Strings = Field(min_length=1, description="Words of the target that mean yes; all others mean no.")
    order: Text | None = Field(
        default=None, description="Column that rises with time: numbers, or ISO 8601 moments; UTC without a zone."
    )
    columns: Annotated[Literal["all"] | tuple[str, ...], BeforeValidator(_all_or_list)] = Field(
        default="all", validate_default=True, description="Columns to learn from: all others, or a list."
    )
    exclude: Strings = Field(default=(), description="Columns never to learn from.")
    encoding: Literal["utf-8", "latin-1", "utf-16"] = Field(default="utf-8", description="Of CSV files.")
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=4, description="Of CSV files; found out when not given."
    )
    window: int = Field(
        default=20_000, ge=100, description="Newest rows a model is trained on, where there is an order; else all."
    )
    step: int = Field(default=1000, ge=1, description="Rows it is judged on before it is trained anew, likewise.")
    recency_half_life: float | None = Field(
        default=None, gt=0, description="How many rows back a row counts half, likewise; an eighth of the window else."
    )
    min_each: int = Field(default=20, ge=5, description="Fewer leads of either answer refuse to train.")
    top_categories: int = Field(default=20, ge=1, le=200, description="Words kept per column.")

    @property
    def half_life(self) -> float:
        """How many rows back a row counts half."""
        return self.recency_half_life or self.window / 8

    @field_validator("columns")
    @classmethod
    def _listed_are_nothing_else(cls, value: str | tuple[str, ...], info: ValidationInfo) -> Any:
        listed = value if isinstance(value, tuple) else ()
        taken = {info.data.get(name): name for name in ("order", "target", "lead_id")}
        mistakes = [
            Mistake(("columns", number), f"{name!r} is the {taken[name]}: never learned from")
            for number, name in enumerate(listed)
            if name in taken
        ]
        refuse(mistakes + _repeated("columns", listed))
        return value

    @field_validator("target", "order")
    @classmethod
    def _target_is_another(cls, value: str | None, info: ValidationInfo) -> str | None:
        # An order may be what names the leads: numbers given as they came.
        other = "target" if info.field_name == "order" else "lead_id"
        if value is not None and value == info.data.get(other):
            raise ValueError(f"{value!r} is the {other}, too; expected another column")
        return value

    @field_validator("exclude")
    @classmethod
    def _excluded_are_not_listed(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        listed = info.data.get("columns")
        both = [name for name in value if isinstance(listed, tuple) and name in listed]
        refuse([Mistake(("exclude", value.index(name)), f"{name!r} is under columns, too") for name in both])
        return value


class FlatModel(Trees):
    """The same trees on the same base; each row being a lead of its own, the base is held less tightly."""

    base_l2: float = Field(default=500.0, gt=0, description="L2 penalty of the base, beside the likelihood.")


class FlatConfig(Section):
    """A project of flat exports. Paths are relative to the folder of the configuration file."""

    project: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="Name of the project.")
    language: Language = Field(default="en", description="Of the reasons.")
    seed: int = Field(default=1, ge=0, lt=2**31, description="Settles every draw.")
    models: Text = Field(default="models", description="Folder of the bundles; they lie in `flat` below it.")
    out: Text = Field(default="out", description="Folder of the slots.")
    capacity: int | None = Field(default=None, ge=1, description="Leads per slot; a tenth when not given.")
    flat: Flat = Field(description="Which files, and what their columns are.")
    model: FlatModel = Field(default=FlatModel(), description="Size and regularisation of the model.")
    guard: Guard = Field(default=Guard(), description="What the leak guard refuses.")
    tracking: Tracking = Field(default=Tracking(), description="Where MLflow keeps its runs.")
    root: Path = Field(default=Path(), exclude=True, description="Folder of the file; not a setting.")

    @property
    def models_path(self) -> Path:
        """Folder of the bundles."""
        return self.root / self.models / "flat"

    @property
    def out_path(self) -> Path:
        """Folder of the slots."""
        return self.root / self.out

    @property
    def state_path(self) -> Path:
        """Folder of the lock, and of MLflow's own store."""
        return self.root / ".leadscore"

    def fingerprint(self) -> str:
        """Name the configuration by everything that can change a delivered score; paths do not."""
        return _digest(self._told())

    def training_fingerprint(self) -> str:
        """Name the configuration by everything that can change a model."""
        settings = self._told()
        for key in ("language", "capacity"):
            settings.pop(key)
        return _digest(settings)

    def _told(self) -> dict[str, Any]:
        settings = self.model_dump(mode="json")
        for key in ("models", "out", "guard", "tracking"):
            settings.pop(key)
        for key in ("files", "score_files"):
            settings["flat"].pop(key)
        return settings


def read_flat_config(path: Path) -> FlatConfig:
    """Read and check the configuration of a flat export.

    Raises:
        ConfigError: as `reading.read_shape`.
    """
    return read_shape(path, FlatConfig)[0]
