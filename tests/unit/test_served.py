"""The table a served model is given: what LightGBM would score without a word is put in order or refused."""

from __future__ import annotations

import logging
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from bundles import tiny_bundle, tiny_matrix
from leadscore.errors import DataError
from leadscore.registry import store

NAMES = ["a", "b", "c"]
SILENT = {
    "reordered": lambda rows: rows[["c", "b", "a"]],
    "one missing, another extra": lambda rows: rows[["b", "c"]].assign(d=1.0),
    "flags": lambda rows: rows.assign(a=rows.a > 0),
    "infinities": lambda rows: rows.assign(a=np.inf),
    "a name twice": lambda rows: rows[["a", "a", "b"]],
}


@pytest.fixture(scope="module", autouse=True)
def _imported_mlflow():
    store.configure()


@pytest.fixture(scope="module")
def served():
    from leadscore.registry import served

    return served


@pytest.fixture(scope="module")
def rows():
    chance = np.random.default_rng(1)
    return pd.DataFrame(chance.normal(size=(400, 3)), columns=NAMES)


@pytest.fixture(scope="module")
def booster(rows):
    label = (rows.a + rows.b / 2 > 0).astype(float)
    parameters = {"objective": "binary", "verbosity": -1, "seed": 1, "deterministic": True, "num_threads": 1}
    return lgb.train(parameters, lgb.Dataset(rows, label=label), 20)


@pytest.mark.parametrize("slip", SILENT)
def test_lightgbm_itself_scores_another_table_without_a_word(booster, rows, slip):
    assert lgb.__version__.startswith("4.7.")  # the pinned one; look again when it moves
    found = booster.predict(SILENT[slip](rows))
    assert np.isfinite(found).all()
    assert not np.allclose(found, booster.predict(rows))


REFUSED = {
    "missing": (lambda rows: rows[["c", "a"]], "missing: 'b'"),
    "one missing, another extra": (SILENT["one missing, another extra"], "missing: 'a'"),
    "extra": (lambda rows: rows.assign(d=1.0), "unknown to this model: 'd'"),
    "twice": (lambda rows: rows[["a", "b", "c", "b"]], "given twice: 'b'"),
    "text": (lambda rows: rows.assign(b="3.5"), "not numbers: 'b'"),
    "one text among numbers": (lambda rows: rows.assign(b=[*rows.b[:-1], "no"]), "not numbers: 'b'"),
    "flags": (SILENT["flags"], "not numbers: 'a'"),
    "flags with gaps": (lambda rows: rows.assign(a=[None, *(rows.a[1:] > 0)]), "not numbers: 'a'"),
    "dates": (lambda rows: rows.assign(c=pd.Timestamp("2026-01-01")), "not numbers: 'c'"),
    "categories": (lambda rows: rows.assign(c=pd.Categorical(["x"] * len(rows))), "not numbers: 'c'"),
    "infinities": (lambda rows: rows.assign(a=[-np.inf, *rows.a[1:]]), "infinite: 'a'"),
    "too large for a single float": (lambda rows: rows.assign(a=1e39), "infinite: 'a'"),
    "no names": (lambda rows: rows.to_numpy(), "Found ndarray, expected a table of named columns."),
}


@pytest.mark.parametrize("slip", REFUSED)
def test_a_table_that_is_not_the_trained_one_is_refused_by_name_and_what_to_do(served, rows, slip):
    change, told = REFUSED[slip]
    with pytest.raises(DataError) as refused:
        served.arrange(change(rows), NAMES)
    assert told in refused.value.message
    assert refused.value.hint
    assert "3.5" not in str(refused.value)


def test_many_names_are_told_in_short(served, rows):
    with pytest.raises(DataError, match=r"missing: 'n0', 'n1', 'n2', 'n3', 'n4' and 95 more\."):
        served.arrange(rows, [*NAMES, *(f"n{number}" for number in range(100))])


def test_names_settle_the_order_and_missing_values_stay(served, rows):
    gaps = rows.mask(np.random.default_rng(2).random(rows.shape) < 0.2)
    expected = gaps.to_numpy(dtype=np.float32)
    np.testing.assert_array_equal(served.arrange(gaps[["c", "a", "b"]], NAMES), expected)
    # As JSON and pandas' own nullable columns bring them.
    null = gaps.astype(object).where(gaps.notna(), None).assign(b=None)
    np.testing.assert_array_equal(served.arrange(null, NAMES)[:, [0, 2]], expected[:, [0, 2]])
    assert np.isnan(served.arrange(null, NAMES)[:, 1]).all()
    np.testing.assert_array_equal(served.arrange(gaps.astype("Float64"), NAMES), expected)
    whole = rows.round().astype(np.int64)
    assert served.arrange(whole, NAMES).dtype == np.float32
    assert served.arrange(rows[:0], NAMES).shape == (0, 3)


# Through MLflow


@pytest.fixture(scope="module")
def model(served, tmp_path_factory):
    """A model as MLflow loads it, its signature before it."""
    import mlflow

    from leadscore.registry import registered

    bundle, place = tiny_bundle(), tmp_path_factory.mktemp("model")
    bundle.write(place)
    saved = place / "saved"
    mlflow.pyfunc.save_model(
        saved,
        python_model=str(Path(served.__file__)),
        artifacts={"bundle": str(place)},
        signature=registered._signature(bundle),
        pip_requirements=[],
    )
    return bundle, mlflow.pyfunc.load_model(str(saved))


def test_through_mlflow_missing_and_infinite_are_refused_and_the_order_does_not_matter(model):
    bundle, loaded = model
    given = pd.DataFrame(tiny_matrix().astype(np.float64), columns=[feature.name for feature in bundle.features])
    expected = bundle.readiness(tiny_matrix())
    np.testing.assert_array_equal(loaded.predict(given[given.columns[::-1]]).to_numpy(), expected)
    first = bundle.features[0].name
    # MLflow keeps a copy of the code; so are its errors.
    with pytest.raises(Exception, match=f"missing: {first!r}") as refused:
        loaded.predict(given.drop(columns=first))
    assert type(refused.value).__name__ == "DataError"
    with pytest.raises(Exception, match=f"infinite: {first!r}"):
        loaded.predict(given.assign(**{first: np.inf}))


@pytest.mark.parametrize("value", ["text", True])
def test_mlflow_itself_refuses_what_is_no_number(model, value):
    from mlflow.exceptions import MlflowException

    bundle, loaded = model
    given = pd.DataFrame(tiny_matrix().astype(np.float64), columns=[feature.name for feature in bundle.features])
    first = bundle.features[0].name
    with pytest.raises(MlflowException, match=f"Incompatible input types for column {first}"):
        loaded.predict(given.assign(**{first: value}))


def test_mlflow_names_an_extra_column_in_a_warning_and_leaves_it_out(model, caplog):
    bundle, loaded = model
    given = pd.DataFrame(tiny_matrix().astype(np.float64), columns=[feature.name for feature in bundle.features])
    with caplog.at_level(logging.WARNING, "mlflow"):
        found = loaded.predict(given.assign(surplus=1.0))
    np.testing.assert_array_equal(found.to_numpy(), bundle.readiness(tiny_matrix()))
    assert "surplus" in caplog.text
    # Nothing of ours comes before MLflow's signature; whoever calls the model itself is refused.
    with pytest.raises(Exception, match="unknown to this model: 'surplus'"):
        loaded.unwrap_python_model().predict(None, given.assign(surplus=1.0))


@pytest.mark.parametrize(("value", "read"), [("3.5", 3.5), (True, 1.0), (None, np.nan)])
def test_over_http_mlflow_reads_json_as_the_signature_says_before_we_see_it(value, read):
    from mlflow.pyfunc.scoring_server import infer_and_parse_data
    from mlflow.types import ColSpec, Schema

    sent = {"dataframe_split": {"columns": ["a"], "data": [[value]]}}
    given = infer_and_parse_data(sent, Schema([ColSpec("double", "a", required=False)]))
    np.testing.assert_array_equal(given.a.to_numpy(), [read])
