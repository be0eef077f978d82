"""Whose objection stands: statements in time, written `day:status` or `day:status:purpose`."""

from __future__ import annotations

import pytest

from world import bucket


@pytest.mark.parametrize(
    ("statements", "stands"),
    [
        ("", False),
        ("1:consent", False),
        ("1:objection", True),
        ("1:objection 2:consent", False),
        ("1:consent 2:objection", True),
        ("1:objection 2:consent 3:objection", True),
        ("2:consent 1:objection", False),  # time decides, not the order of the rows
        ("1:objection:mail", True),  # whatever the purpose
        ("1:objection:mail 2:consent:mail", False),
        ("1:objection:mail 2:consent:phone", True),
        ("1:objection:mail 2:consent", False),  # a yes to everything
        ("1:objection 2:consent:mail", True),  # a yes to one thing does not undo a no to everything
        ("1:objection:mail 1:objection:phone 2:consent:mail", True),
        ("1:objection 1:consent", True),  # at the same moment a no outweighs a yes
        ("1:consent 1:objection", True),
    ],
)
def test_an_objection_stands_until_it_is_taken_back(statements, stands):
    consents = [
        dict(zip(("lead_id", "occurred_at", "status", "purpose"), ("ada", *statement.split(":")), strict=False))
        for statement in statements.split()
    ]
    consents.append({"lead_id": "zoe", "occurred_at": "1", "status": "objection"})
    leads, _ = bucket("lead_id | created_at\nada | 0\nbob | 0", consents=consents)
    assert leads.objected.tolist() == [stands, False]
