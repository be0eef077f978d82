"""What is told of past lists a second time, lead by lead: a list is a Python list of (chance, by recency, hit)."""

from __future__ import annotations

import hashlib
from math import ceil


def ranked(leads):
    """The readiest first; among equals by the digest of the key, which is `lead` and their number."""
    digest = [hashlib.sha256(f"lead {number}".encode()).hexdigest() for number in range(len(leads))]
    order = sorted(range(len(leads)), key=lambda number: (-leads[number][0], digest[number]))
    return [leads[number] for number in order]


def among(leads, by, top):
    """How many hits are among the first `top` leads, which need not be whole; of equals such a share as has room."""
    met = 0.0
    for score in {lead[by] for lead in leads}:
        equals = [hit for *_, hit in (lead for lead in leads if lead[by] == score)]
        before = sum(lead[by] > score for lead in leads)
        met += sum(equals) * min(1.0, max(0.0, (top - before) / len(equals)))
    return met


def team(leads, capacity):
    return capacity if capacity is not None else ceil(len(leads) / 10)


def found(lists, by, capacity):
    return sum(among(leads, by, team(leads, capacity)) for leads in lists)


def gain(lists, by, share):
    """The share of the conversions among the first of each list."""
    return sum(among(leads, by, share * len(leads)) for leads in lists) / sum(
        hit for leads in lists for *_, hit in leads
    )


def tenths(lists):
    """Of a list of 23 the first three tenths hold three leads, the others two."""
    told = [[0, 0.0, 0] for _ in range(10)]
    for leads in lists:
        order, begin = ranked(leads), 0
        for number in range(10):
            size = len(leads) // 10 + (number < len(leads) % 10)
            _add(told[number], order[begin : begin + size])
            begin += size
    return told


def grades(lists, capacity):
    """A is the team's capacity, B twice that, C the upper half of the rest (the larger), D the lower."""
    told = {letter: [0, 0.0, 0] for letter in "ABCD"}
    for leads in lists:
        order, top = ranked(leads), team(leads, capacity)
        rest = order[3 * top :]
        half = ceil(len(rest) / 2)
        for letter, own in zip("ABCD", (order[:top], order[top : 3 * top], rest[:half], rest[half:]), strict=True):
            _add(told[letter], own)
    return told


def _add(line, leads):
    line[0] += len(leads)
    line[1] += sum(chance for chance, *_ in leads)
    line[2] += sum(hit for *_, hit in leads)
