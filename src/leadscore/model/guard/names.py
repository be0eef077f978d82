"""Names that smell of the outcome, in English, French, Dutch, German and Spanish."""

from __future__ import annotations

import re
import unicodedata

_SMELLS = (
    "status", "stage", "stage name", "tag", "tags", "closed", "close date", "closing", "won", "lost", "outcome",
    "converted", "conversion", "result", "resolution", "disposition", "probability", "score", "target", "label",
    "churn", "churned", "loss reason", "close reason", "became customer", "is customer",
    "statut", "etape", "etiquette", "etiquettes", "clos", "cloture", "cloturee", "gagne", "gagnee", "perdu", "perdue",
    "converti", "convertie", "resultat", "issue", "cible", "probabilite", "motif de perte", "devenu client",
    "fase", "stadium", "gewonnen", "verloren", "resultaat", "uitkomst", "gesloten", "afgesloten", "geconverteerd",
    "conversie", "kans", "verliesreden", "klant geworden", "doelvariabele",
    "ergebnis", "abgeschlossen", "geschlossen", "phase", "konvertiert", "kunde geworden",
    "etapa", "ganado", "ganada", "perdido", "perdida", "resultado", "cerrado", "cerrada", "convertido",
)  # fmt: skip
_WHOLE = ("y", "win", "won", "class", "reason", "motif", "reden")  # these mean it only where they stand alone
_HARMLESS = (
    "marital status", "civil status", "family status", "relationship status", "employment status", "job status",
    "working status", "housing status", "life stage", "statut marital", "statut familial", "statut matrimonial",
    "statut professionnel", "burgerlijke status", "target group", "target market", "target audience", "price tag",
)  # fmt: skip


def smells(name: str) -> str:
    """Return the words of a name that smell of the outcome; empty when none do.

    Whole words only, however they are joined.

    >>> smells("LeadStatus"), smells("date_de_clôture"), smells("is won"), smells("leadstatus")
    ('status', 'cloture', 'won', 'status')
    >>> smells("wonderful"), smells("layer"), smells("marital_status"), smells("poutcome"), smells("storage")
    ('', '', '', '', '')
    """
    words = _words(name)
    for harmless in _HARMLESS:
        words = re.sub(rf"\b{harmless}\b", " ", words) if words != harmless.replace(" ", "") else ""
    words = " ".join(words.split())
    if words in _WHOLE:
        return words
    found = [phrase for phrase in _SMELLS if f" {phrase} " in f" {words} "]
    if found:
        return max(found, key=len)
    # Written in one, only this one is safe to recognise: no other word ends so.
    return "status" if re.search(r"status\b", words) else ""


def _words(name: str) -> str:
    """Reduce a name to lower-case words without accents."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    plain = unicodedata.normalize("NFKD", split).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", plain.lower()))
