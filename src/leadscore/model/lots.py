"""Lots: chance settled by seed, lead and moment alone, so that no draw depends on other leads or on the buckets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from leadscore.timeline import Moments

Lots = npt.NDArray[np.uint64]
HIGHEST = float(2**64)


def number_leads(lead_ids: Sequence[str], seed: int) -> Lots:
    """Number each lead by its name; the same lead has the same number among any others."""
    key = seed.to_bytes(8, "big")
    digests = b"".join(hashlib.blake2b(lead.encode(), digest_size=8, key=key).digest() for lead in lead_ids)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def draw_lots(numbers: Lots, as_of: Moments) -> Lots:
    """Draw a lot per snapshot, even from 0 to 2**64, from the number of its lead and its moment."""
    return _mixed(numbers ^ _mixed(as_of.astype(np.uint64)))


def _mixed(numbers: Lots) -> Lots:
    """Mix the bits of numbers (the finalizer of splitmix64: Steele, Lea & Flood 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
