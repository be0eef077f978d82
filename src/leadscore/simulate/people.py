"""Who the company deals with: accounts, the leads in them, and what is recorded of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from leadscore.simulate.hazard import BY_SIZE, PROFILE, Floats, Ints

_INDUSTRIES = (
    "software",
    "finance",
    "manufacturing",
    "healthcare",
    "logistics",
    "retail",
    "education",
    "public sector",
)
_COUNTRIES = ("FR", "DE", "BE", "GB", "ES", "IT", "NL")
_COUNTRY_SHARES = (0.4, 0.17, 0.1, 0.12, 0.08, 0.07, 0.06)
_ROLES = ("executive", "manager", "engineer", "buyer", "assistant", "student")
_ROLE_SHARES = (0.12, 0.3, 0.3, 0.12, 0.1, 0.06)
SOURCES = ("website", "content", "webinar", "trade fair", "referral", "outbound list")
_SOURCE_SHARES = (0.28, 0.22, 0.15, 0.1, 0.1, 0.15)
_SOURCE_INTEREST = np.array([0.2, 0.1, 0.2, 0.0, 0.5, -0.6])
_MISSING = {"industry": 0.08, "country": 0.03, "employees": 0.12, "job_role": 0.12, "lead_source": 0.05}
_ALONE = 0.1  # share of accounts that stay alone, beside those that happen to have one lead
_WITHOUT = 0.4  # share of leads alone that name no company: consultants, students, private addresses
_ECHOES = 0.35  # share of leads that take up what third parties say
# fmt: off
_FIRST = (
    "Alba", "Bastien", "Chiara", "Dounia", "Emil", "Florence", "Gaël", "Hanna", "Inès", "Jules", "Katja",
    "Louise", "Marek", "Nora", "Olivier", "Paola", "Quentin", "Rosa", "Sven", "Thérèse", "Ugo", "Vera", "Zoé",
)
_LAST = (
    "Abril", "Beaumont", "Castel", "Dupré", "Engels", "Ferrand", "Guérin", "Hartmann", "Joly", "Keller",
    "Lemaire", "Moreau", "Novak", "O'Brien", "Peeters", "Rossi", "Schmitt", "Tessier", "Urbain", "Weber",
)
_HALVES = (
    ("Nord", "Alto", "Vega", "Lumen", "Ferro", "Clair", "Terra", "Hexa", "Sola", "Ondo"),
    ("tech", "works", "line", "data", "bois", "pharma", "log", "mark", "press", "lab"),
)
# fmt: on


@dataclass(frozen=True)
class People:
    """The leads and what drives them; arrays of one length, in order of creation.

    Attributes:
        table: One row per lead: what the CRM records, but for the moment of creation.
        accounts: One row per account.
        account: Number of the account; a lead without one has a number of its own.
        created_day: Day of creation, counted from the start.
        created_second: Second of that day, local time.
        profile: What the recorded attributes add to the logit of the hazard.
        source: Number of the true lead source, whether recorded or not.
        topic: Number of the topic the lead cares for.
        interest: Lasting interest; drives behaviour only.
        echoes: Whether the lead takes up what third parties say.
    """

    table: pd.DataFrame
    accounts: pd.DataFrame
    account: Ints
    created_day: Ints
    created_second: Ints
    profile: Floats
    source: Ints
    topic: Ints
    interest: Floats
    echoes: npt.NDArray[np.bool_]


def draw_people(leads: int, days: int, rng: np.random.Generator, second: Ints) -> People:
    """Draw `leads` leads created within `days` days; `second` is a local second of the day for each."""
    account, first_day = _accounts(leads, days, rng)
    created_day = _created(first_day, days, rng)
    order = np.lexsort((second, created_day))
    account, created_day, second = account[order], created_day[order], second[order]
    table, accounts, source = _records(account, rng)
    role = table["job_role"].to_numpy()
    table = _forget_some(table, rng)
    interest = rng.normal(0, 0.5, leads) + _SOURCE_INTEREST[source] - 0.4 * (role == "student")
    return People(
        table=table,
        accounts=accounts,
        account=account,
        created_day=created_day,
        created_second=second,
        profile=profile_effect(table),
        source=source,
        topic=rng.integers(0, 5, leads),
        interest=interest,
        echoes=rng.random(leads) < _ECHOES,
    )


def profile_effect(table: pd.DataFrame) -> Floats:
    """Sum what each row's recorded attributes add to the logit; what is missing adds nothing."""
    effect = np.zeros(len(table))
    for name, effects in PROFILE.items():
        effect += table[name].map(effects).astype("float64").fillna(0.0).to_numpy()
    employees = table["employees"].to_numpy("float64", na_value=np.nan)
    smallest, effects_by_size = (np.array(part) for part in zip(*BY_SIZE, strict=True))
    known = ~np.isnan(employees)
    effect[known] += effects_by_size[np.searchsorted(smallest, employees[known], side="right") - 1]
    return effect


def _accounts(leads: int, days: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Fill accounts of 1, 2, … leads until all leads have one; return account and its first day per lead."""
    sizes = np.where(rng.random(leads) < _ALONE, 1, rng.geometric(0.42, leads))
    account = np.repeat(np.arange(leads), sizes)[:leads]
    return account, rng.integers(0, days, leads)[account]


def _created(first_day: Ints, days: int, rng: np.random.Generator) -> Ints:
    """Spread colleagues over some months after the first, and move most weekends to a weekday."""
    day = first_day + rng.exponential(40, len(first_day)).astype(np.int64)
    late = day >= days
    day[late] = rng.integers(0, days, late.sum())
    weekend = (day % 7 >= 5) & (rng.random(len(day)) < 0.7)  # noqa: PLR2004 - day 0 is a Monday
    day[weekend] -= 3
    return day


def _records(account: Ints, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame, Ints]:
    """Fill in what the CRM holds of each lead and account, with nothing missing yet."""
    numbers, place = np.unique(account, return_inverse=True)
    accounts = _account_records(numbers, rng)
    alone = np.bincount(place)[place] == 1
    without = alone & (rng.random(len(account)) < _WITHOUT)
    source = rng.choice(len(SOURCES), len(account), p=_SOURCE_SHARES)
    leads = accounts[["account_id", "industry", "country", "employees"]].take(place).reset_index(drop=True)
    leads["account_id"] = leads["account_id"].mask(pd.Series(without))
    leads.insert(0, "lead_id", [f"00Q{number:012d}" for number in range(1, len(account) + 1)])
    leads["job_role"] = rng.choice(_ROLES, len(account), p=_ROLE_SHARES)
    leads["lead_source"] = np.array(SOURCES)[source]
    first = rng.choice(_FIRST, len(account))
    last = rng.choice(_LAST, len(account))
    leads["first_name"], leads["last_name"] = first, last
    leads["email"] = [
        f"{_ascii(a)}.{_ascii(b)}{number}@{domain}"
        for number, (a, b, domain) in enumerate(zip(first, last, accounts["domain"].take(place), strict=True))
    ]
    kept = accounts[accounts["account_id"].isin(leads["account_id"].dropna())]
    return leads, kept.drop(columns="domain").reset_index(drop=True), source


def _account_records(numbers: Ints, rng: np.random.Generator) -> pd.DataFrame:
    count = len(numbers)
    halves = [rng.choice(half, count) for half in _HALVES]
    names = [f"{a}{b} {number}" for number, (a, b) in enumerate(zip(*halves, strict=True), start=1)]
    return pd.DataFrame(
        {
            "account_id": [f"001{number:012d}" for number in range(1, count + 1)],
            "name": names,
            "industry": rng.choice(_INDUSTRIES, count),
            "country": rng.choice(_COUNTRIES, count, p=_COUNTRY_SHARES),
            "employees": np.maximum(1, np.exp(rng.normal(5, 1.8, count))).astype(np.int64),
            "domain": [
                f"{name.lower().replace(' ', '-')}.example.{'org' if number % 3 else 'com'}"
                for number, name in enumerate(names)
            ],
        }
    )


def _forget_some(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Leave some attributes out, as people who fill in forms do."""
    table = table.astype({"employees": "Int64"})
    for name, share in _MISSING.items():
        table[name] = table[name].mask(pd.Series(rng.random(len(table)) < share))
    return table


def _ascii(name: str) -> str:
    """Write a name as in a mail address."""
    return name.lower().translate(str.maketrans("éèëê", "eeee", "' "))
