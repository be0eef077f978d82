"""What is told of a tiny bundle as if it had been judged at two origins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bundles import HORIZONS, tiny_examples
from leadscore.model.backtest import Cohort, tabulate
from leadscore.model.bundle import Bundle
from leadscore.model.importance import Sample, draw_sample, weigh_concepts
from leadscore.registry.tracking import Account, Training
from leadscore.timeline import DAY


def cohorts_of(bundle: Bundle) -> list[Cohort]:
    """Two origins, two cohorts: what the bundle says of noise, and a baseline that ranks the other way round."""
    cohorts = []
    for origin, seed in ((19_900, 3), (19_950, 4)):
        examples = tiny_examples(seed)
        p = bundle.readiness(examples.matrix)
        as_of = np.repeat([origin * DAY, (origin + 7) * DAY], len(p) // 2)
        leads = [f"lead {number % (len(p) // 2)}" for number in range(len(p))]
        chances = {"model": p, "recency": p[::-1]}
        cohorts.append(Cohort(origin * DAY, leads, as_of, examples.labels.by_horizon, examples.labels.matured, chances))
    return cohorts


def tiny_sample() -> Sample:
    """Draw what a tiny bundle is looked at by."""
    examples = tiny_examples(seed=4)
    return draw_sample(examples.matrix, examples.labels.by_horizon, examples.labels.matured, horizon=1, seed=1)


def account_of(bundle: Bundle, **changes: Any) -> Account:
    """Tell what was judged."""
    cohorts = cohorts_of(bundle)
    account = Account(
        title="tiny of then",
        tags={"project": "tiny", "data_version": "leads@3", "configuration": "0123456789ab"},
        parameters={"model.trees": "5", "features.families": "profile volume"},
        configuration="project: tiny # é\ntracking: {uri: http://me:secret@there}\n",
        inputs={"leads": ("/store/leads", 3), "interactions": ("s3://store/interactions", 7)},
        project="tiny",
        horizons=tuple(HORIZONS),
        ranked_by=1,
        seed=1,
        cohorts=cohorts,
        told=tabulate(cohorts, tuple(HORIZONS), None, 1, draws=20),
        influence=weigh_concepts(bundle, tiny_sample(), seed=1),
        counts={"rows": 300.0, "nothing": float("nan")},
        tables={"catalogue": pd.DataFrame({"name": ["a", "b"], "missing": ["never", None]})},
    )
    return replace(account, **changes)


def training_of(bundle: Bundle, **changes: Any) -> Training:
    """Tell a training: `UNJUDGED` makes it one whose past was too short."""
    return Training(account_of(bundle, **changes), bundle, card="# tiny\n\nFor é tests.\n")


UNJUDGED: dict[str, Any] = {"cohorts": [], "told": {}, "influence": None}
