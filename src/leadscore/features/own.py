"""A family of the project's own: a Python file named in the configuration, held to the promises of all families.

The file says `from leadscore.features.own import feature` and puts `@feature(…)` before functions of (view,
vocabulary) that return one number per snapshot; or it has `catalogue` and `compute` as the families of leadscore do.
Only the project's own file is ever run; a bundle knows the digest of the file and the catalogue, never the code.
"""

from __future__ import annotations

import ast
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from leadscore.config import Config, OwnFile
from leadscore.errors import ConfigError, StateError
from leadscore.features.catalogue import Feature, Unit, Words
from leadscore.features.view import Matrix, View, looks
from leadscore.features.vocabulary import Vocabulary
from leadscore.features.worlds import KINDS, World, draw_world, snapshots
from leadscore.language import LANGUAGES

Column = Callable[[View, Vocabulary], Any]
_Numbers = npt.NDArray[np.floating[Any]]

_SEEDS = (1, 2)
_EACH = 3  # every third snapshot is looked at alone, which takes longest
_MOST_WORDS, _LONGEST_WORD = 50, 60
_TAKEN = ("lead_id", "offset")  # columns beside the concepts' own
_TOLD = ("unit", "sentence", "absent", "missing", "name", "concept")
"""What a feature says of itself; texts given there are no words of the data."""
_SAID = (0.0, 1.0, 0.03, -2.5, 1e30, float("nan"))
_LOADED: dict[tuple[str, str], OwnFamily] = {}
"""Families by name and digest: what a digest means never changes, so one process may serve several projects."""


@dataclass(frozen=True)
class Declared:
    """A function that computes one feature, and what the catalogue says of it; see `feature`."""

    column: Column
    name: str
    concept: str
    unit: Unit
    missing: str
    sentence: Words
    absent: Words
    skewed: bool
    direction: Literal[-1, 0, 1]

    def __call__(self, view: View, vocabulary: Vocabulary) -> Any:
        """Compute it: one number per snapshot."""
        return self.column(view, vocabulary)

    def of(self, family: str) -> Feature:
        """Give its row in the catalogue of a family."""
        return Feature(
            name=self.name, family=family, concept=self.concept or f"{family}.{self.name}", unit=self.unit,
            missing=self.missing, sentence=self.sentence, absent=self.absent, skewed=self.skewed,
            direction=self.direction,
        )  # fmt: skip


def feature(
    *,
    unit: Unit,
    sentence: str | Words,
    absent: str | Words,
    missing: str = "",
    name: str = "",
    concept: str = "",
    skewed: bool = True,
    direction: Literal[-1, 0, 1] = 0,
) -> Callable[[Column], Declared]:
    """Make a feature of a function of (view, vocabulary) that returns one number per snapshot, NaN where missing.

    Args:
        unit: As in `catalogue.Feature`, like all that follows.
        sentence: For a value that is there, with `{value}`; per language, or one text for every language.
        absent: For a missing value; of a feature that is never missing, for zero.
        missing: What NaN means; empty when the value is never missing.
        name: Of the column; the function's when not given.
        concept: What it is about; the feature itself when not given.
        skewed: Spread over orders of magnitude.
        direction: Which way it may push a score.
    """

    def declare(column: Column) -> Declared:
        called = name or getattr(column, "__name__", "")
        said, unsaid = _every_language(sentence), _every_language(absent)
        return Declared(column, called, concept, unit, missing, said, unsaid, skewed, direction)

    return declare


def _every_language(words: str | Words) -> Words:
    return dict.fromkeys(LANGUAGES, words) if isinstance(words, str) else words


@dataclass(eq=False)
class OwnFamily:
    """A loaded file, as the matrix wants a family."""

    NAME: str
    file: OwnFile
    module: ModuleType

    @property
    def declared(self) -> list[Declared]:
        """The features that the file declares one by one, in its order."""
        return [item for item in vars(self.module).values() if isinstance(item, Declared)]

    def needs(self, vocabulary: Vocabulary) -> str:
        """Say why the family is off; empty when it is on."""
        with _explained(self.file):
            return str(getattr(self.module, "needs", lambda _: "")(vocabulary) or "")  # None: it says nothing

    def catalogue(self, vocabulary: Vocabulary) -> tuple[Feature, ...]:
        """List the columns."""
        listed = getattr(self.module, "catalogue", None)
        if listed is None:
            return tuple(declared.of(self.NAME) for declared in self.declared)
        with _explained(self.file):
            return tuple(listed(vocabulary))

    def compute(self, view: View, vocabulary: Vocabulary) -> Matrix:
        """Compute the columns, one row per snapshot; on real data, too, each value is what the catalogue says."""
        matrix: Matrix = self.unrounded(view, vocabulary).astype(np.float32)
        features, rows = self.catalogue(vocabulary), len(view.snapshots)
        if matrix.shape != (rows, len(features)):
            raise _broken(
                self.file,
                f"compute gives {matrix.shape} for {rows} snapshots and {len(features)} features",
                "One row per snapshot, one column per entry of the catalogue, in its order.",
            )
        _check_values(self.file, features, matrix)
        return matrix

    def unrounded(self, view: View, vocabulary: Vocabulary) -> npt.NDArray[np.float64]:
        """Compute the columns as the file gives them."""
        with _explained(self.file):
            if hasattr(self.module, "compute"):
                return np.asarray(self.module.compute(view, vocabulary), dtype=np.float64)
            columns = [np.asarray(declared(view, vocabulary), dtype=np.float64) for declared in self.declared]
        for declared, column in zip(self.declared, columns, strict=True):
            if column.shape != (len(view.snapshots),):
                found = f"an array of shape {column.shape} for {len(view.snapshots)} snapshots"
                raise _broken(self.file, f"feature {declared.name} gives {found}", "Return one number per snapshot.")
        return np.column_stack([np.zeros((len(view.snapshots), 0)), *columns])


def load_own(config: Config) -> dict[str, OwnFamily]:
    """Load the families of `features.own`, each held to its promises once per process.

    Raises:
        ConfigError: a file cannot be read or run, or breaks a promise; the message names file, feature and promise.
    """
    return {file.name: _load(file, config) for file in config.own_files}


def _load(file: OwnFile, config: Config) -> OwnFamily:
    key = file.name, file.digest
    if key not in _LOADED:
        with _cause_told():
            family = _run(file)
            hold(family, _vocabulary(family, config))
        _LOADED[key] = family
    return _LOADED[key]


def loaded(name: str, digest: str) -> OwnFamily:
    """Return the family that a model was trained with.

    Raises:
        StateError: the file was changed since, or is no longer named in the configuration.
    """
    if (name, digest) not in _LOADED:
        raise StateError(
            f"{name}: this family is not here as it was when the model was trained: the file was changed, or "
            "features.own no longer names it.",
            "Bring back the file, or run `leadscore train`.",
        )
    return _LOADED[name, digest]


def _run(file: OwnFile) -> OwnFamily:
    module = ModuleType(f"leadscore_own_{file.name}_{file.digest}")
    module.__file__ = file.path
    sys.modules[module.__name__] = module  # dataclasses look their module up there
    with _explained(file):
        exec(compile(file.text, file.path, "exec"), vars(module))  # noqa: S102 - the project's own file, by its own configuration
    family = OwnFamily(file.name, file, module)
    whole = hasattr(module, "catalogue"), hasattr(module, "compute")
    if any(whole) != all(whole) or not (all(whole) or family.declared):
        hint = "Put `@feature(…)` before a function of (view, vocabulary), or give both catalogue and compute."
        raise _broken(file, "declares no feature", hint)
    return family


@contextmanager
def _explained(file: OwnFile) -> Iterator[None]:
    """Turn whatever the file's code raises into a ConfigError that names the line.

    The error's own words stay out: on real data they may hold a person's. What the code prints goes to standard error:
    standard output is the command's, which may have promised one JSON object there.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except ConfigError:
        raise
    except SyntaxError as error:
        place = f", line {error.lineno}" if error.lineno else ""
        raise ConfigError(f"{file.path}{place}: is no Python ({error.msg}).", "Mend the line.") from error
    except (Exception, SystemExit) as error:  # an exit would end the night's run as if all were done
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file.path]
        place = f", line {lines[-1]}" if lines else ""
        raise ConfigError(f"{file.path}{place}: raised {type(error).__name__}.") from error


@contextmanager
def _cause_told() -> Iterator[None]:
    """Add Python's words to an error of the file's code, where no real data can stand in them."""
    try:
        yield
    except ConfigError as error:
        if error.hint or error.__cause__ is None:
            raise
        said = traceback.format_exception_only(error.__cause__)[-1].strip()
        raise ConfigError(error.message, f"Python says: {said}") from error.__cause__


def _broken(file: OwnFile, what: str, hint: str) -> ConfigError:
    return ConfigError(f"{file.path}: {what}.", hint)


# ---- the promises ----------------------------------------------------------------------------------------------


def _vocabulary(family: OwnFamily, config: Config) -> Vocabulary:
    """Make a vocabulary in which the words of the file have columns, so that what asks for them finds them."""
    words = words_of(family.file.text)
    settings = config.features
    return Vocabulary(
        kinds=tuple(sorted({*KINDS, *words})),
        labels={},
        numbers=("size",),
        categories={"country": ("DE", "FR"), **dict.fromkeys(words, words)},
        windows={str(window): window.microseconds for window in settings.windows},
        half_lives={str(half_life): half_life.microseconds for half_life in settings.half_lives},
        columns=(
            *("account", "campaign", "channel", "content", "direction"),
            *("layer", "referrer", "source", "topic", "value"),
        ),
        time_zone=config.time_zone,
        families=(*settings.families, family.NAME),
        answer_within=settings.answer_within.microseconds,
    )


def words_of(text: str) -> tuple[str, ...]:
    """List the short texts of a file, sorted: among them the kinds and channels that it looks for."""
    tree = ast.parse(text)
    told = {id(part) for node in ast.walk(tree) if _is_told(node) for part in ast.walk(node)}
    found = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    }
    return tuple(sorted(word for word in found if 0 < len(word) <= _LONGEST_WORD and "{" not in word)[:_MOST_WORDS])


def _is_told(node: ast.AST) -> bool:
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or (isinstance(node, ast.keyword) and node.arg in _TOLD)


def hold(family: OwnFamily, vocabulary: Vocabulary) -> None:
    """Hold a family to what every family promises, on companies drawn from a seed.

    Raises:
        ConfigError: it breaks a promise.
    """
    features = family.catalogue(vocabulary)
    _check_catalogue(family, features)
    for seed in _SEEDS:
        trial = _Trial(family, features, vocabulary, draw_world(seed, words_of(family.file.text)))
        trial.check_values()
        trial.check_repeats()
        trial.check_parts()
        trial.check_future()
        trial.check_alone()


def _check_catalogue(family: OwnFamily, features: Sequence[Feature]) -> None:
    names = [getattr(feature, "name", None) for feature in features]
    for number, (name, listed) in enumerate(zip(names, features, strict=True)):
        what = f"feature {name}"
        if not isinstance(listed, Feature) or not isinstance(name, str) or not name:
            raise _broken(family.file, f"entry {number} of the catalogue is no feature with a name", "Give it one.")
        if name in names[:number]:
            raise _broken(family.file, f"{what} is named twice", "Give each feature a name of its own.")
        if listed.family != family.NAME:
            raise _broken(family.file, f"{what} is of family {listed.family}", f"Its family is {family.NAME}.")
        if listed.concept in _TAKEN:
            hint = f"Call what it is about {family.NAME}.{listed.concept}; weights.parquet has such a column already."
            raise _broken(family.file, f"{what} is about {listed.concept!r}", hint)
        if listed.unit not in get_args(Unit) or listed.direction not in (-1, 0, 1):
            hint = f"Units: {', '.join(get_args(Unit))}; directions: -1, 0, 1."
            raise _broken(family.file, f"{what} has an unknown unit or direction", hint)
        if listed.direction and listed.missing:
            hint = "Return a number where nothing is known, or leave the direction out."
            raise _broken(family.file, f"{what} has a direction and may be missing", hint)
        _check_sentences(family.file, listed)


def _check_sentences(file: OwnFile, listed: Feature) -> None:
    what = f"feature {listed.name}"
    for language in LANGUAGES:
        for given, name in ((listed.sentence, "sentence"), (listed.absent, "absent")):
            if not isinstance(given, Mapping) or not str(given.get(language, "")).strip():
                raise _broken(file, f"{what} has no {name} in {language}", f'Give {name}={{"en": "…", "fr": "…"}}.')
        try:
            said = [listed.say(value, language) for value in _SAID]
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            hint = "Write {value} where the value goes (`absent` has none), and other braces twice."
            raise _broken(file, f"the {language} sentence of {what} cannot be said", hint) from error
        if not all(said):
            raise _broken(file, f"the {language} sentence of {what} is empty", "Say what a person should read.")


def _check_values(file: OwnFile, features: Sequence[Feature], matrix: Matrix) -> None:
    """Each value is a number that float32 holds, or missing where the catalogue says what that means."""
    for listed, column in zip(features, matrix.T, strict=True):
        if np.isinf(column).any():
            hint = "Write NaN instead; mind divisions by zero, and values beyond 3.4e38."
            raise _broken(file, f"feature {listed.name} is infinite somewhere", hint)
        if np.isnan(column).any() and not listed.missing:
            hint = 'Say what that means with missing="…", or return a number.'
            raise _broken(file, f"feature {listed.name} is missing somewhere, unannounced", hint)


@dataclass(frozen=True)
class _Trial:
    """A family on one company."""

    family: OwnFamily
    features: Sequence[Feature]
    vocabulary: Vocabulary
    world: World

    def matrix(self, world: World, pairs: Sequence[tuple[str, int]], as_of: int | None = None) -> Matrix:
        """Compute the features of (lead, moment) pairs of a part of the company, as known at the end or at `as_of`."""
        return np.concatenate([self.family.compute(view, self.vocabulary) for view in self._looks(world, pairs, as_of)])

    def _looks(self, world: World, pairs: Sequence[tuple[str, int]], as_of: int | None = None) -> Iterator[View]:
        leads, history = world.bucket(self.world if as_of is None else self.world.before(as_of))
        if "context" not in self.vocabulary.families:
            leads = replace(leads, workload=None)  # as on real data, where it is read for that family only
        return looks(leads, history, snapshots(leads, pairs))

    def check_values(self) -> None:
        """Each value is what the catalogue says, and where nobody is asked about there is none."""
        self.matrix(self.world, self.world.pairs())
        self.matrix(self.world, [])

    def check_repeats(self) -> None:
        """The same question has the same answer, to the last digit: a clock hardly moves between two questions."""
        pairs = self.world.pairs()
        first, again = (
            np.concatenate([self.family.unrounded(view, self.vocabulary) for view in self._looks(self.world, pairs)])
            for _ in range(2)
        )
        hint = "Use no clock and no chance; nothing may be kept between two calls."
        self._same(again, first, pairs, "gives another value when asked again", hint)

    def check_parts(self) -> None:
        """How leads are divided into buckets changes nothing."""
        pairs = self.world.pairs()
        whole = self.matrix(self.world, pairs)
        hint = (
            "Words change their codes from bucket to bucket, so recode() them; events and snapshots go together by "
            "view.asof, not by rows of leads; sum lead by lead, never as a difference of running totals."
        )
        for group in self.world.groups():
            rows = [row for row, (lead, _) in enumerate(pairs) if lead in group]
            asked = [pairs[row] for row in rows]
            what = "changes with the leads of other accounts"
            self._same(whole[rows], self.matrix(self.world.of(group), asked), asked, what, hint)

    def check_future(self) -> None:
        """What happens, or is learned, at as_of or later changes nothing."""
        for as_of in self.world.moments:
            pairs = [pair for pair in self.world.pairs() if pair[1] == as_of]
            then = self.matrix(self.world.before(as_of), pairs, as_of)
            hint = (
                "Use the operators of leadscore.features.asof on view.asof, which count what was known before as_of; "
                "of the leads use versions_at(), created_at and moments before as_of only."
            )
            self._same(self.matrix(self.world, pairs), then, pairs, "sees the future", hint)

    def check_alone(self) -> None:
        """A snapshot alone is the same as among others: training equals scoring."""
        pairs = self.world.pairs()
        whole = self.matrix(self.world, pairs)
        hint = "A row may depend on nothing but its own snapshot: use the operators of leadscore.features.asof."
        for row in range(0, len(pairs), _EACH):
            alone = self.matrix(self.world, pairs[row : row + 1])
            self._same(whole[row : row + 1], alone, pairs[row:], "changes with the other snapshots", hint)

    def _same(
        self, found: _Numbers, expected: _Numbers, pairs: Sequence[tuple[str, int]], what: str, hint: str
    ) -> None:
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        if not same.all():
            row, column = (int(place[0]) for place in np.nonzero(~same))
            values = f"{found[row, column]}, not {expected[row, column]}: {pairs[row][0]} of a drawn company"
            name = self.features[column].name
            raise _broken(self.family.file, f"feature {name} {what} ({values})", hint)
