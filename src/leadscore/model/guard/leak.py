"""A finding of the guard, and which findings stop a training."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Check = Literal["separates", "with_the_outcome", "after_the_outcome", "updated_after", "filled_by_the_outcome", "name"]
What = Literal["kind", "attribute", "feature", "column"]

_DOUBT = 0.3
"""The share of what is left of the benefit of the doubt that a name takes away."""


@dataclass(frozen=True)
class Leak:
    """One finding.

    Attributes:
        name: The kind of interaction, attribute, feature or column; it is allowed by this name.
        what: Which of these it is.
        check: What gave it away.
        severity: 0 (nothing) to 1 (certain). For what separates alone, its AUC; for what comes with or after the
            outcome, the share of its leads in which it does; both at the lower end of their 90 % interval.
        evidence: One sentence with the numbers; never a person's data.
        advice: What to do.
    """

    name: str
    what: What
    check: Check
    severity: float
    evidence: str
    advice: str

    def __str__(self) -> str:
        return f"{self.evidence} {self.advice}"

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class Refusal:
    """Why a training is stopped, and what to do, as `GateError` wants them."""

    message: str
    hint: str


def refusal(findings: Iterable[Leak], refuse_at: float, allow: Collection[str]) -> Refusal | None:
    """Say why a training must stop: a finding at least as severe as `refuse_at` that is not allowed by name.

    A name that smells is a warning alone, however low the threshold. None when nothing stops it.
    """
    stopping = [leak for leak in findings if leak.name not in allow and leak.check != "name"]
    stopping = [leak for leak in stopping if leak.severity >= refuse_at]
    if not stopping:
        return None
    names = ", ".join(leak.name for leak in stopping)
    told = " ".join(f"{leak.evidence} {leak.advice}" for leak in stopping)
    allowed = ", ".join(f'"{leak.name}"' for leak in stopping)
    return Refusal(
        f"What this training would learn from knows the outcome: {names}. {told}",
        f"Whoever knows that this was known before the outcome allows it by name: `guard: {{allow: [{allowed}]}}`.",
    )


def doubted(severity: float) -> float:
    """Return the severity of a finding whose name smells, too: s + 0.3 (1 − s)."""
    return severity + (1 - severity) * _DOUBT


def strongest(findings: Iterable[Leak]) -> tuple[Leak, ...]:
    """Keep the most severe finding of each name, the most severe first."""
    kept: dict[str, Leak] = {}
    for leak in findings:
        if leak.name not in kept or leak.severity > kept[leak.name].severity:
            kept[leak.name] = leak
    return tuple(sorted(kept.values(), key=lambda leak: (-leak.severity, leak.name)))
