"""Guests: how many buckets there are, and who lives where, changes nothing that is seen."""

from __future__ import annotations

import numpy as np

from leadscore.features.matrix import build_matrix, catalogue, settle, take_census
from leadscore.features.vocabulary import sum_censuses
from leadscore.ingest import ingest
from leadscore.model.train import at_risk_on
from leadscore.steps import reader
from leadscore.store import open_lake
from leadscore.timeline import DAY
from projects import SEEN, drawn, project

# Ada moves from acme to bolt, and back; eva gets her account late; cyd and fay were brought by leads of other accounts.
FILES = {
    "leads.csv": drawn(
        """
        lead_id | account_id | referrer_id | created_at | known_at
        ada     | acme       | _           | 2024-01-01 | _
        ada     | bolt       | _           | 2024-01-01 | 2024-03-01
        ada     | acme       | _           | 2024-01-01 | 2024-05-01
        bob     | acme       | _           | 2024-01-02 | _
        cyd     | bolt       | bob         | 2024-01-03 | _
        dan     | bolt       | _           | 2024-01-04 | _
        eva     | _          | _           | 2024-01-05 | _
        eva     | bolt       | _           | 2024-01-05 | 2024-02-01
        fay     | coop       | eva         | 2024-01-06 | _
        """
    ),
    "interactions.csv": drawn(
        """
        lead_id | occurred_at | known_at   | kind
        ada     | 2024-03-10  | _          | call
        ada     | 2024-03-02  | 2024-04-01 | mail
        bob     | 2024-02-20  | _          | call
        cyd     | 2024-02-27  | _          | won
        dan     | 2024-03-04  | _          | mail
        eva     | 2024-03-11  | _          | mail
        """
    ),
    "outcomes.csv": "lead_id,occurred_at,outcome\nbob,2024-03-12,won\n",
}
FAMILIES = {"families": ("profile", "volume", "capillarity", "context"), "half_lives": ("7d",)}


def seen(folder, buckets):
    """The words, the names, and what is seen of each lead at risk at each moment; how many guests there were."""
    folder.mkdir()
    config = project(folder, files=FILES, ingest={"buckets": buckets}, features=FAMILIES)
    ingest(config, SEEN)
    read = list(reader(config, open_lake(config))(SEEN))
    words = settle(sum_censuses(take_census(*bucket, config) for bucket in read), config)
    rows = {}
    for leads, history in read:
        snapshots = at_risk_on(config, leads, SEEN - 10 * DAY * np.arange(18, -1, -1))
        matrix = build_matrix(leads, history, snapshots, words)
        for lead, as_of, row in zip(snapshots.lead, snapshots.as_of, matrix, strict=True):
            rows[leads.lead_id[lead], int(as_of)] = row.tobytes()
    return words, rows, sum(int(leads.guest.sum()) for leads, _ in read)


def test_many_buckets_with_guests_show_what_one_bucket_shows(tmp_path):
    words, rows, guests = seen(tmp_path / "one", 1)
    assert guests == 0
    assert {"colleagues", "referrer_warmth", "open_leads"} <= {feature.name for feature in catalogue(words)}
    for buckets in (4, 64):
        again = seen(tmp_path / str(buckets), buckets)
        assert again[:2] == (words, rows)
        assert again[2] > 0
