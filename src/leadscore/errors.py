"""What can go wrong, by who can put it right.

Each error is one sentence for a person (what, where, found, expected) with a separate `hint` (what to do next) and
the exit code the command line ends with. No error carries a person's data: values appear as classes ("text", "empty"),
never as they stand in the file.
"""

from __future__ import annotations

from typing import ClassVar


class LeadscoreError(Exception):
    """Base of every error a user can meet.

    Attributes:
        message: One sentence: what is wrong, where, what was found, what was expected.
        hint: What to do next; empty when the message already says it.
        exit_code: What the process ends with.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigError(LeadscoreError):
    """The operator can act: usage, configuration, permissions, disk space."""

    exit_code: ClassVar[int] = 2


class DataError(LeadscoreError):
    """The supplier of the data can act: files, columns, values."""

    exit_code: ClassVar[int] = 3


class GateError(LeadscoreError):
    """A gate refused to go on; the last good state stays."""

    exit_code: ClassVar[int] = 4


class StateError(LeadscoreError):
    """Something else must run first."""

    exit_code: ClassVar[int] = 5
