"""A bundle on disk: what is no bundle, or not this version's, is refused in words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from leadscore.errors import StateError
from leadscore.model.bundle import read_bundle
from world import learned_funnel


def _written(tmp_path):
    learned_funnel()[3].write(tmp_path)
    return json.loads((tmp_path / "bundle.json").read_text())


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder, _: (folder / "trees.txt").unlink(), "no readable bundle"),
        (lambda folder, _: (folder / "bundle.json").unlink(), "no readable bundle"),
        (lambda folder, _: (folder / "bundle.json").write_text("{"), "no readable bundle"),
        (lambda folder, saved: _rewrite(folder, saved | {"format": 99}), "found bundle format 99"),
        (lambda folder, saved: _rewrite(folder, saved | {"features": saved["features"][1:]}), "its features are not"),
    ],
)
def test_what_is_not_a_whole_bundle_is_refused(tmp_path, spoil, sentence):
    spoil(tmp_path, _written(tmp_path))
    with pytest.raises(StateError, match=sentence) as refused:
        read_bundle(tmp_path)
    assert refused.value.hint == "Run `leadscore train`."


def _rewrite(folder, saved):
    (folder / "bundle.json").write_text(json.dumps(saved))


def test_a_bundle_is_text_without_what_json_does_not_have(tmp_path):
    _written(tmp_path)
    assert "NaN" not in (tmp_path / "bundle.json").read_text(encoding="utf-8")
    assert (tmp_path / "trees.txt").read_text(encoding="utf-8").startswith("tree\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bundle.json",
        *(f"trees-{k}.txt" for k in (1, 2, 3, 4)),
        "trees.txt",
    ]


def test_what_is_learned_was_known_and_its_labels_closed():
    config, learned, cohorts, bundle = learned_funnel()
    as_of, examples = bundle.as_of, learned.examples
    # Snapshots every two days, and a shortest horizon of three: what was seen two days ago teaches nothing yet.
    assert examples.as_of.max() == as_of - 2 * config.snapshots.spacing.microseconds
    assert examples.labels.teaches[:, 0].all()
    for horizon, matured in zip(config.horizons, examples.labels.matured.T, strict=True):
        assert np.array_equal(matured, examples.as_of + horizon.microseconds <= as_of)
    assert [cohort.origin for cohort in cohorts] == sorted(cohort.origin for cohort in cohorts)
    for cohort in cohorts:
        assert cohort.matured.all()
        assert cohort.as_of.min() == cohort.origin
    # The funnel's leads convert the sooner, the more they call: the model must have seen it.
    assert bundle.facts["judged"]["7d"]["model"]["auc"] > 0.75
