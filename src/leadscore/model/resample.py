"""Draws of leads with replacement, and the compiled passes that measure a table under each draw.

A draw says how often each lead was taken; all its rows are then taken as often, in every cohort, because snapshots of
one lead are not independent. Nor are the leads of one account: where there are accounts, these are drawn in place of
their leads (see `units`). Rows are sorted once; each draw is one pass over them. `drawn` has one row per draw and one
column per lead or account, `who` says to which column a row belongs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from leadscore.features.kernels import kernel, kernel_part
from leadscore.labels import Flags
from leadscore.model.base import Floats

Drawn = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int32]

MASS, HITS, AHEAD, TIED, PRECISION, BRIER, LOSS = range(7)
_STEPS = 200
_CLOSE = 1e-10
_LEAP = 4.0


def draw_leads(number: int, draws: int, seed: int) -> Drawn:
    """Draw as many leads as there are, with replacement: one row per draw, one column per lead, how often it came.

    A row adds up to `number`. A byte is enough: that a lead comes 256 times has a chance below 1e-500.
    """
    chance = np.random.default_rng(seed)
    drawn = np.zeros((draws, number), dtype=np.uint8)
    for row in drawn if number else ():
        row[:] = np.bincount(chance.integers(number, size=number), minlength=number)
    return drawn


def units(lead_id: Sequence[str], account_id: Sequence[str | None]) -> Sequence[str]:
    """Name who is drawn with each row: the account of its lead, or the lead where it has none.

    >>> units(["ann", "bob", "cyd"], ["acme", None, "acme"])
    ['account acme', 'bob', 'account acme']
    """
    if not account_id:
        return lead_id
    return [f"account {account}" if account else lead for lead, account in zip(lead_id, account_id, strict=True)]


def unit_drawn(account_ids: Iterable[Sequence[str | None]]) -> str:
    """Say who is drawn from some tables: `accounts` where any lead has one, else `leads`."""
    return "accounts" if any(any(accounts) for accounts in account_ids) else "leads"


def number_leads(lead_ids: Sequence[Sequence[str]]) -> tuple[int, list[Places]]:
    """Number the leads (or `units`) of tables together: how many there are, and per table the number of each row."""
    tables = [np.array(ids, dtype=str) for ids in lead_ids]
    leads, place = np.unique(np.concatenate(tables), return_inverse=True)
    ends = np.cumsum([len(table) for table in tables])
    return len(leads), np.split(place.astype(np.int32), ends[:-1])


def mean_over_known(values: Floats) -> Floats:
    """Average over the first axis, leaving out NaN; NaN where all are."""
    known = np.isfinite(values)
    number = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean: Floats = np.divide(total, number, out=np.full(number.shape, np.nan), where=number > 0)
    return mean


def draw_means(who: Sequence[Places], sums: Sequence[Floats], counts: Sequence[Floats], drawn: Drawn) -> Floats:
    """Draw a mean that adds up row by row: Σ w s / Σ w n per table, averaged over the tables that have it.

    Args:
        who: Per table (an origin), the lead of each row.
        sums: Per table, what to add up: one row per row of the table (a snapshot, or already a lead), any columns.
        counts: Per table, how many each row stands for, likewise; 0 where a row has nothing to say.
        drawn: See `draw_leads`.

    Returns:
        One row per draw, the columns of `sums`; NaN where no table had anything.
    """
    found = np.full((len(drawn), sums[0].shape[1]), np.nan)
    for draw, weights in enumerate(drawn):
        means = []
        for rows, above, below in zip(who, sums, counts, strict=True):
            weight = weights[rows].astype(np.float64)
            number = weight @ below
            means.append(np.divide(weight @ above, number, out=np.full(len(number), np.nan), where=number > 0))
        found[draw] = mean_over_known(np.array(means))
    return found


# ---- compiled passes: rows readiest first --------------------------------------------------------------------


@kernel_part
def _tie(weights: Drawn, who: Places, hits: Flags, p: Floats, row: int, end: int) -> tuple[float, float, int]:
    """Weigh the rows that tie with `row`: all, those that hit, and where the next chance begins."""
    own, own_hits, level = 0.0, 0.0, p[row]
    while row < end and p[row] == level:
        weight = float(weights[who[row]])
        own += weight
        own_hits += weight * hits[row]
        row += 1
    return own, own_hits, row


@kernel_part
def _weigh(weights: Drawn, who: Places, first: int, end: int) -> float:
    total = 0
    for row in range(first, end):
        total += weights[who[row]]
    return float(total)


@kernel
def sweep(
    drawn: Drawn,
    who: Places,
    hits: Flags,
    p: Floats,
    losses: Floats,
    shares: Floats,
    sums: Floats,
    met: Floats,
    said: Floats,
) -> None:
    """Go down the list once per draw, tie by tie.

    Rows come with `p` falling. `shares` of the whole, ascending, say where to take stock: `met` and `said` are filled
    with the hits and Σ p so far, one row per draw and one column per share; who ties at the edge counts by share.
    `sums` is filled with one row per draw: weight of the rows and of the hits; of the pairs of a hit and a miss with
    the hit strictly ahead, and tied; Σ precision at a hit; Σ (p - y)²; Σ losses.
    """
    for draw in range(drawn.shape[0]):
        weights = drawn[draw]
        total = _weigh(weights, who, 0, who.size)
        mass, above, chances, row, cut = 0.0, 0.0, 0.0, 0, 0
        while row < who.size:
            level, first = p[row], row
            own, own_hits, row = _tie(weights, who, hits, p, row, who.size)
            for at in range(first, row):
                sums[draw, LOSS] += weights[who[at]] * losses[at]
            if own == 0:
                continue
            sums[draw, AHEAD] += (own - own_hits) * above
            sums[draw, TIED] += (own - own_hits) * own_hits
            sums[draw, PRECISION] += own_hits * (above + own_hits) / (mass + own)
            sums[draw, BRIER] += own_hits * (1 - level) ** 2 + (own - own_hits) * level**2
            while cut < shares.size and shares[cut] * total <= mass + own:
                part = (shares[cut] * total - mass) / own
                met[draw, cut] = above + part * own_hits
                said[draw, cut] = chances + part * own * level
                cut += 1
            mass += own
            above += own_hits
            chances += own * level
        sums[draw, MASS] = mass
        sums[draw, HITS] = above


@kernel
def work(
    drawn: Drawn, who: Places, hits: Flags, p: Floats, slots: Places, capacity: float, worked: Floats, met: Floats
) -> None:
    """Work the top of each slot, per draw: how many rows that is, and how many hits among them.

    Rows come slot by slot, with `p` falling in each; `slots` says where each begins, and the end. `capacity` is in rows
    per slot; below 0, it is a tenth of each. `worked` and `met` are added to, one value per draw.
    """
    for draw in range(drawn.shape[0]):
        weights = drawn[draw]
        for slot in range(slots.size - 1):
            row, end = slots[slot], slots[slot + 1]
            total = _weigh(weights, who, row, end)
            left = total / 10 if capacity < 0 else min(total, capacity)
            worked[draw] += left
            while row < end and left > 0:
                own, own_hits, row = _tie(weights, who, hits, p, row, end)
                part = min(1.0, left / own) if own > 0 else 0.0
                met[draw] += part * own_hits
                left -= part * own


@kernel
def recalibrate(
    drawn: Drawn, who: Places, hits: Flags, node: Places, share: Floats, z: Floats, slope: Floats, intercept: Floats
) -> None:
    """Fit y to logit p, per draw: the slope (intercept free), and the intercept (slope 1); NaN where there is none.

    Rows come in any order; the logit of each is (1 - share) z[node] + share z[node + 1], with `z` ascending but for
    the last, which has no weight. `slope` and `intercept` are filled with one value per draw.
    """
    for draw in range(drawn.shape[0]):
        weights = drawn[draw]
        mass, met = np.zeros(z.size), np.zeros(z.size)
        for row in range(who.size):
            weight, at = float(weights[who[row]]), node[row]
            upper = weight * share[row]
            mass[at] += weight - upper
            mass[at + 1] += upper
            if hits[row]:
                met[at] += weight - upper
                met[at + 1] += upper
        slope[draw] = intercept[draw] = np.nan
        if 0 < met.sum() < mass.sum():
            intercept[draw], _ = _fit(z, mass, met, 0.0, fixed=True)
            if _overlap(mass, met):
                _, slope[draw] = _fit(z, mass, met, intercept[draw], fixed=False)


@kernel_part
def _overlap(mass: Floats, met: Floats) -> bool:
    """Say whether no logit parts hits from misses; where one does, the likelihood has no maximum."""
    hits, misses = np.flatnonzero(met > 0), np.flatnonzero(mass - met > 0)
    return bool(misses[0] < hits[-1] and hits[0] < misses[-1])


@kernel_part
def _fit(z: Floats, mass: Floats, met: Floats, intercept: float, fixed: bool) -> tuple[float, float]:
    """Fit logit P = a + b z by Newton's method, from b = 1, which stays when fixed.

    No step moves a margin by more than a few units, because far out the curvature is nil; a step that makes the
    likelihood worse is halved.
    """
    a, b, least, step_a, step_b = intercept, 1.0, np.inf, 0.0, 0.0
    for _ in range(_STEPS):
        loss, g_a, g_b, h_aa, h_ab, h_bb = _likelihood(z, mass, met, a, b)
        if loss > least:
            step_a, step_b = step_a / 2, step_b / 2
            a, b = a + step_a, b + step_b
        else:
            least = loss
            step_a, step_b = g_a / h_aa, 0.0
            if not fixed:
                determinant = h_aa * h_bb - h_ab * h_ab
                step_a, step_b = (h_bb * g_a - h_ab * g_b) / determinant, (h_aa * g_b - h_ab * g_a) / determinant
            leap = max(abs(step_a + step_b * z[0]), abs(step_a + step_b * z[-2]))
            if leap > _LEAP:
                step_a, step_b = step_a * _LEAP / leap, step_b * _LEAP / leap
            a, b = a - step_a, b - step_b
        if max(abs(step_a), abs(step_b)) <= _CLOSE * (1 + max(abs(a), abs(b))):
            return a, b
    return np.nan, np.nan


@kernel_part
def _likelihood(
    z: Floats, mass: Floats, met: Floats, a: float, b: float
) -> tuple[float, float, float, float, float, float]:
    """Return Σ n log(1 + e^m) - y m with m = a + b z, its gradient and its Hessian (aa, ab, bb)."""
    loss, g_a, g_b, h_aa, h_ab, h_bb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for at in range(z.size):
        if mass[at] > 0:
            margin = a + b * z[at]
            small = math.exp(-abs(margin))
            chance = 1 / (1 + small) if margin > 0 else small / (1 + small)
            excess, curvature = mass[at] * chance - met[at], mass[at] * small / (1 + small) ** 2
            loss += mass[at] * (max(margin, 0.0) + math.log1p(small)) - met[at] * margin
            g_a += excess
            g_b += excess * z[at]
            h_aa += curvature
            h_ab += curvature * z[at]
            h_bb += curvature * z[at] * z[at]
    return loss, g_a, g_b, h_aa, h_ab, h_bb
