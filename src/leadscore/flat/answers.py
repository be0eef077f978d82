"""The answers of a flat export: which words the target holds, how often, and which of them mean yes."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from leadscore.config.flat import Flat
from leadscore.errors import DataError
from leadscore.flat.columns import Texts
from leadscore.labels import Flags

_NAMED, _LONGEST = 10, 40  # words, and signs of one
_MOST = 50  # different words; those of a column of more may be people's names


@dataclass(frozen=True)
class Answer:
    """A word of the target: in how many rows it stands, and whether it means yes."""

    word: str
    rows: int
    yes: bool


def answers_of(target: Texts, settings: Flat) -> tuple[Answer, ...]:
    """List the words of the target, the most frequent first, ties alphabetically."""
    words = zip(target.words, target.counts().tolist(), strict=True)
    answers = [Answer(word, rows, word in settings.positive) for word, rows in words]
    return tuple(sorted(answers, key=lambda answer: (-answer.rows, answer.word)))


def says_yes(target: Texts, settings: Flat) -> Flags:
    """Tell which rows say yes; a row without an answer does not.

    Raises:
        DataError: a word is one that means yes but for case or spaces, and would mean no.
    """
    _refuse_likes_of_yes(answers_of(target, settings), settings)
    yes = np.array([*(word in settings.positive for word in target.words), False], dtype=np.bool_)
    flags: Flags = yes[target.codes]
    return flags


def _refuse_likes_of_yes(answers: Sequence[Answer], settings: Flat) -> None:
    meant = {_as_heard(word): word for word in settings.positive}
    alike = [answer for answer in answers if not answer.yes and _as_heard(answer.word) in meant]
    if alike:
        found = ", ".join(f"{answer.word!r} ({answer.rows:,} rows)" for answer in alike)
        listed = ", ".join(sorted({repr(meant[_as_heard(answer.word)]) for answer in alike}))
        words = json.dumps([*settings.positive, *(answer.word for answer in alike)], ensure_ascii=False)
        raise DataError(
            f"Column {settings.target}: found {found}, which would mean no, for flat.positive says {listed}; expected "
            "yes and no to differ in more than case or spaces.",
            f"Write `positive: {words}` under flat, or make the words of the file one.",
        )


def _as_heard(word: str) -> str:
    """Leave out what nobody tells two answers apart by: case, spaces, and how the same letter is encoded."""
    return " ".join(unicodedata.normalize("NFKC", word).casefold().split())


def several_mean_no(answers: Sequence[Answer], target: str) -> list[str]:
    """Warn of several words that mean no, for one of them may be no answer at all; nothing where there is but one."""
    no = [answer for answer in answers if not answer.yes]
    if len(no) < 2:  # noqa: PLR2004 - several
        return []
    if len(answers) > _MOST:
        return [f"{len(no):,} different words of column {target} mean no, too many to name: is flat.target right?"]
    named = ", ".join(f"{_shortened(answer.word)!r} ({answer.rows:,})" for answer in no[:_NAMED])
    more = f" and {len(no) - _NAMED} more" if len(no) > _NAMED else ""
    told = (
        f"{len(no)} words of column {target} mean no: {named}{more}. One that means not yet teaches that such leads "
        "never say yes: empty it in the file. One that means yes belongs under flat.positive."
    )
    return [told]


def tell_answers(answers: Sequence[Answer], target: str) -> dict[str, Any]:
    """Tell the answers as JSON can hold it.

    Returns:
        - column, words: the target, and how many different words it holds;
        - most: the ten most frequent of them with their rows; of more than fifty only those that mean yes.
    """
    kinds = answers if len(answers) <= _MOST else [answer for answer in answers if answer.yes]
    most = [{**asdict(answer), "word": _shortened(answer.word)} for answer in kinds[:_NAMED]]
    return {"column": target, "words": len(answers), "most": most}


def _shortened(word: str) -> str:
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST - 1]}…"
