"""What names and words usually mean in exports of CRM, mail and web tools, in English and French."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Meaning = Literal["converted", "lost", "disqualified"]

# For each canonical column, phrases a file's column may be called, the surest first.
ROLES: dict[str, tuple[str, ...]] = {
    "lead_id": (
        "lead id", "id lead", "prospect id", "id prospect", "contact id", "id contact", "lead", "who id",
        "case id", "case", "record id", "customer id", "client id", "id client", "person id", "user id",
        "opportunity id", "deal id", "identifiant", "prospect", "contact", "key", "id", "email", "mail",
        "e mail", "courriel",
    ),
    "created_at": (
        "created at", "create date", "created date", "date created", "creation date", "date de creation",
        "date creation", "created", "cree le", "reg date", "registration date", "signup date",
        "date inscription", "date d inscription", "inscription", "opened at", "open date", "submitted at",
        "start date", "date", "cree",
    ),
    "closes_at": (
        "closes at", "ends at", "end date", "expires at", "expiry", "expiration date", "valid until",
        "deadline", "campaign end", "date de fin", "date fin", "echeance", "date limite",
    ),
    "account_id": (
        "account id", "id account", "company id", "organization id", "organisation id", "household id",
        "account", "company", "organization", "organisation", "household", "compte", "id compte", "societe",
        "entreprise", "account name", "company name", "foyer",
    ),
    "known_at": (
        "known at", "known", "recorded at", "received at", "ingested at", "loaded at", "imported at",
        "synced at", "enregistre le", "recu le", "importe le",
    ),
    "occurred_at": (
        "occurred at", "timestamp", "occurred", "event time", "event date", "activity date",
        "event timestamp", "ts", "datetime", "date time", "horodatage", "date heure", "happened at",
        "sent at", "time", "date", "quand", "start time", "visited at", "date evenement",
        "date de l evenement", "date activite", "at", "created at", "created date", "resolved at",
        "closed at", "close date", "closed date", "converted at", "won at", "date de cloture",
        "date cloture", "jour", "when", "heard",
    ),
    "kind": (
        "kind", "event type", "activity type", "interaction type", "event", "type", "event name",
        "activity", "action", "concept name", "task subtype", "type d evenement", "type evenement",
        "evenement", "activite", "type d interaction", "nature", "event kind", "what", "quoi",
    ),
    "channel": ("channel", "canal", "medium", "utm medium", "media", "where"),
    "direction": ("direction", "call type", "sens", "inbound outbound"),
    "value": (
        "value", "amount", "sales value", "montant", "valeur", "price", "prix", "revenue", "total",
        "basket", "duration", "duree", "seconds", "secondes", "minutes",
    ),
    "content_id": (
        "content id", "content", "page", "url", "page url", "asset", "asset id", "contenu", "document",
        "title", "link", "lien", "titre",
    ),
    "layer": ("layer", "depth", "couche", "profondeur"),
    "topic": ("topic", "theme", "sujet", "category", "categorie"),
    "campaign_id": ("campaign id", "campaign", "utm campaign", "campagne", "id campagne", "campaign name"),
    "source_id": ("source id", "referrer", "referer", "partner", "partner id", "partenaire", "source"),
    "outcome": (
        "outcome", "resolution", "result", "final status", "status", "stage", "stage name", "deal stage",
        "resultat", "statut", "etat", "issue", "disposition", "state", "is won", "converted",
        "is converted", "label", "y",
    ),
}  # fmt: skip

_ENDS: dict[Meaning, tuple[str, ...]] = {
    "disqualified": (
        "disqualified", "unqualified", "not qualified", "spam", "duplicate", "invalid", "junk", "bad data", "test",
        "disqualifie", "disqualifiee", "non qualifie", "non qualifiee", "doublon", "hors cible", "not a fit",
    ),
    "lost": (
        "lost", "loss", "closed lost", "not converted", "non converti", "not won", "cancelled", "canceled", "declined",
        "refused", "rejected", "expired", "withdrawn", "churned", "no decision", "failed", "perdu", "perdue",
        "annule", "annulee", "refuse", "refusee", "abandonne", "abandonnee", "sans suite", "rejete", "verloren",
        "no", "false", "0", "non", "n",
    ),
    "converted": (
        "converted", "won", "win", "closed won", "signed", "sold", "sale", "purchased", "customer", "subscribed",
        "paid", "ordered", "success", "contract signed", "deal won", "conversion", "gagne", "gagnee", "converti",
        "convertie", "signe", "signee", "vendu", "souscrit", "abonne", "client", "gewonnen", "ganado", "yes", "true",
        "1", "oui", "y",
    ),
}  # fmt: skip

# Kinds that may be a conversion when nothing else says so: first the words that can mean nothing else.
_SURE_ENDS = (
    "won",
    "converted",
    "conversion",
    "signed",
    "sold",
    "sale",
    "gagne",
    "gagnee",
    "converti",
    "signe",
    "vendu",
)
_LIKELY_ENDS = (
    "purchase", "purchased", "order", "ordered", "subscribed", "subscription", "paid", "activated", "approved",
    "achat", "commande", "abonne", "souscription", "souscrit",
)  # fmt: skip

_OUTBOUND = (
    "sent", "send", "delivered", "outbound", "outgoing", "call", "called", "mailing", "newsletter", "invited",
    "invitation", "campaign received", "sms", "follow up", "letter", "envoye", "envoi", "envoyee", "sortant", "appel",
    "relance", "courrier", "bounce", "bounced",
)  # fmt: skip
_INBOUND = (
    "sent back", "inbound", "incoming", "callback", "call back", "open", "opened", "click", "clicked", "visit",
    "visited", "view", "viewed", "page", "form", "download", "downloaded", "register", "registered", "signup",
    "sign up", "reply", "replied", "answered", "attend", "attended", "webinar", "purchase", "redeemed", "chat",
    "subscribed", "unsubscribed", "unsubscribe", "request", "requested", "submitted", "demo request", "ouvert",
    "ouverture", "clic", "visite", "vue", "formulaire", "telechargement", "inscription", "reponse", "entrant",
    "achat", "demande", "desinscription", "search", "login",
)  # fmt: skip

PERSONAL = (
    "name", "first name", "last name", "surname", "nom", "prenom", "mail", "email", "e mail", "courriel", "phone",
    "mobile", "fax", "telephone", "tel", "portable", "address", "adresse", "street", "rue", "birth", "birthdate",
    "birthday", "naissance", "iban", "ssn", "ip", "linkedin", "twitter", "comment", "comments", "commentaire", "note",
    "notes", "description", "message", "subject", "objet", "url", "website", "owner", "proprietaire", "rep", "agent",
    "user", "utilisateur", "resource", "commercial", "assigned", "salutation", "civilite",
)  # fmt: skip
MEASURES = (
    "amount", "revenue", "value", "price", "income", "salary", "size", "employees", "headcount", "turnover", "budget",
    "montant", "chiffre", "ca", "prix", "revenu", "salaire", "effectif", "valeur",
)  # fmt: skip
CONTACT = ("mail", "email", "e mail", "courriel", "phone", "mobile", "telephone", "tel", "portable")
HARMLESS = (
    "marital status", "civil status", "employment status", "employees", "employes", "children", "enfants",
)  # fmt: skip
TELLTALE = (
    "status", "stage", "statut", "etat", "outcome", "resolution", "result", "resultat", "won", "lost", "converted",
    "conversion", "close", "closed", "cloture", "reason", "raison", "motif", "last", "latest", "dernier", "derniere",
    "score", "disposition", "label", "target", "churn", "modified", "updated",
    "number of", "nombre de", "sessions",
)  # fmt: skip
_FRENCH = (
    "identifiant", "creation", "statut", "montant", "societe", "entreprise", "prenom", "nom", "evenement", "canal",
    "inscription", "compte", "campagne", "cloture", "horodatage", "quand", "ville", "pays", "secteur", "courriel",
    "activite", "resultat", "gagne", "perdu",
)  # fmt: skip


def plain(text: str) -> str:
    """Reduce a name to lower-case words without accents.

    >>> plain("Date de création"), plain("CreatedDate"), plain("case:concept:name")
    ('date de creation', 'created date', 'case concept name')
    """
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    ascii_only = unicodedata.normalize("NFKD", split).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", ascii_only.lower()))


def name_score(name: str, role: str) -> float:
    """Say how well a column's name fits a canonical column: 0 (not at all) to 1 (its own name).

    >>> name_score("lead_id", "lead_id"), name_score("weather", "lead_id")
    (1.0, 0.0)
    """
    words = plain(name)
    tight = words.replace(" ", "")
    best = 0.0
    for rank, phrase in enumerate(ROLES[role]):
        early = 0.01 * rank
        if words == phrase or tight == phrase.replace(" ", ""):
            best = max(best, 1.0 - early)
        elif has_phrase(words, phrase):
            surplus = len(words.split()) - len(phrase.split())
            best = max(best, 0.6 - early - 0.05 * surplus)
    return best


def has_phrase(words: str, phrase: str) -> bool:
    """Say whether plain words hold a phrase as whole words in this order."""
    return f" {phrase} " in f" {words} "


def has_any(name: str, phrases: tuple[str, ...]) -> bool:
    """Say whether a name holds one of the phrases."""
    words = plain(name)
    return any(has_phrase(words, phrase) for phrase in phrases)


def meaning_of(word: str) -> Meaning | None:
    """Say which end of a lead a word of the source means, or None.

    >>> meaning_of("Closed Won"), meaning_of("non converti"), meaning_of("Doublon"), meaning_of("closedwon")
    ('converted', 'lost', 'disqualified', 'converted')
    """
    words = plain(word)
    for phrase_fits in (str.__eq__, _written_together, has_phrase):
        for meaning, phrases in _ENDS.items():
            # A single letter or digit means something only where it stands alone.
            if any(phrase_fits(words, phrase) for phrase in phrases if len(phrase) > 1 or words == phrase):
                return meaning
    return None


def _written_together(words: str, phrase: str) -> bool:
    return " " in phrase and words == phrase.replace(" ", "")


def conversion_kinds(kinds: list[str]) -> list[str]:
    """Pick the kinds that are conversions: those with sure words, else those with likely ones."""
    for phrases in (_SURE_ENDS, _LIKELY_ENDS):
        found = [kind for kind in kinds if has_any(kind, phrases) and meaning_of(kind) in (None, "converted")]
        if found:
            return found
    return []


def direction_of(kind: str) -> str:
    """Say who does a kind of interaction: `inbound`, `outbound`, or empty when its words do not tell.

    >>> direction_of("mail_sent"), direction_of("O_SENT_BACK"), direction_of("W_Nabellen")
    ('outbound', 'inbound', '')
    """
    words = plain(kind)
    outbound = max((len(phrase) for phrase in _OUTBOUND if has_phrase(words, phrase)), default=0)
    inbound = max((len(phrase) for phrase in _INBOUND if has_phrase(words, phrase)), default=0)
    if outbound == inbound:
        return ""
    return "outbound" if outbound > inbound else "inbound"


def looks_french(names: list[str]) -> bool:
    """Say whether column names are French."""
    return sum(has_any(name, _FRENCH) for name in names) >= 2  # noqa: PLR2004 - one word may be a coincidence
