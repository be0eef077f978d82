"""One lead on the terminal: everything is said, in one language, by signs the terminal has, and nothing runs there."""

from __future__ import annotations

import io
import re
import unicodedata
from contextlib import redirect_stdout
from dataclasses import replace

import pytest

from contents import AS_OF, HOSTILE, made_up
from leadscore.delivery.content import Touch
from leadscore.delivery.wording import Wording
from leadscore.panel import LeadPanel
from leadscore.report_lead import show_panel
from leadscore.timeline import DAY, HOUR, show_moment

LANGUAGES = ("en", "fr")
MINDS = ("no_list", "not_listed", "another_model", "other_chances")


def lead(place, language="en", **changes):
    """The lead at a place of the made-up list; `row` changes single cells."""
    content = made_up(language=language)
    row = content.scores.slice(place, 1).to_pylist()[0]
    row |= {name: show_moment(content.scores[name].cast("int64")[place].as_py()) for name in ("as_of", "expires_at")}
    row |= changes.pop("row", {})
    told = {
        "lead_id": row["lead_id"], "as_of": AS_OF, "time_zone": "Europe/Paris", "language": language,
        "horizons": content.horizons, "ranked_by": "30d", "model": content.model, "slot": content.slot, "listed": 60,
        "row": row, "chances": {name: row[f"p_{name}"] for name in content.horizons},
        "shown": {"name": content.shown["name"][place]}, "panel": content.panels[row["lead_id"]], "mind": (),
    }  # fmt: skip
    return LeadPanel(**{**told, **changes})


def shown(result, encoding="utf-8"):
    """What a terminal of an encoding shows; a sign it does not have is escaped, as on the command line."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding, errors="backslashreplace", newline="")
    with redirect_stdout(stream):
        show_panel(result)
    stream.seek(0)
    return stream.read()


def flat(text):
    return " ".join(text.split())


def test_it_says_who_where_how_ready_why_and_what_happened():
    touches = [
        Touch(AS_OF - 30 * DAY, "mail sent", "outbound"),
        Touch(AS_OF - 20 * DAY, "demo", "inbound", AS_OF - DAY),
        Touch(AS_OF - 2 * HOUR, "odd", ""),
    ]
    made = lead(1)
    warmth = [(AS_OF - (90 - day) * DAY, 8 - abs(day - 60) / 10) for day in range(91)]
    told = shown(replace(made, panel=replace(made.panel, touches=touches, hidden=1, warmth=warmth)))
    lines = [line.rstrip() for line in told.splitlines()]
    assert lines[:2] == ["lead 1", "as of 6 July 2026, 02:00, by model ba987654321f"]
    assert flat(told[: told.index("How ready")]).endswith(
        "Action nurture; 1 message or call of ours without an answer Grade A Rank 2 of 60 Score 97 Trend steady "
        "Known known in part Valid until 20 July 2026 "
        "Account account 0 name Person lead 1".replace("Score 97", f"Score 97, before {made.row['score_prev']}")
    )
    chance, low, high = (f"{made.row[name]:.1%}" for name in ("p_30d", "p_lo", "p_hi"))
    curve = [line.split() for line in lines if "█" in line and " days " in line]
    assert [line[0] for line in curve] == ["14", "30", "90"]
    assert curve[1][3:] == [chance, low, "to", high]
    assert [len(line[2]) for line in curve] == [
        round(24 * made.row[f"p_{name}"] / max(made.row["p_90d"], made.row["p_hi"])) for name in ("14d", "30d", "90d")
    ]
    assert f"between {low} and {high} convert within 30 days" in flat(told)
    reasons = [line.split(maxsplit=2) for line in lines if "│" in line]
    assert reasons == [
        ["+0.39", "│██████████", "pages read in the last 30 days: 1; usually 2"],
        ["+0.20", "│█████", "Industry: finance; as for 12% of the leads"],
        ["−0.15", "████│", "pushed"],
        ["−0.05", "█│", "all other concepts together"],
    ]
    assert f"nearly the same for all {made.panel.margin:+.2f} together: for this lead, a chance of {chance} within" in (
        flat(told).replace("−", "-")
    )
    assert "To compare two leads, compare their chances, not these totals." in flat(told)
    assert re.search("^  ▃+▄+▅+▆+▇+█+▇+▆+$", told, re.MULTILINE)
    assert "7 April 2026 to 6 July 2026; warmest on 6 June 2026, now at 63% of that" in told
    after = lines[lines.index("What happened, the newest last") + 1 :]
    assert [re.sub("  +", "  ", line.strip()) for line in after] == [
        "1 older interaction is not shown.",
        "6 June 2026, 02:00  mail sent  by us",
        "16 June 2026, 02:00  demo  by the lead  learned of only on 5 July 2026, 02:00",
        "6 July 2026, 00:00  odd",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_missing_is_said_and_not_made_up(language):
    words = Wording("show", language)
    made = lead(1, language)
    gone = dict.fromkeys(("rank", "grade", "action", "score_prev", "account_id", "p_lo", "p_hi"))
    bare = replace(made.panel, touches=(), warmth=(), hidden=0, unanswered=0)
    told = flat(shown(replace(made, row=made.row | gone, panel=bare, mind=["no_list"], slot=None, listed=None)))
    for key in ("mind_no_list", "no_bounds", "no_temperature", "quiet"):
        assert flat(words.say(key)) in told
    for key in ("rank", "grade", "action", "account"):
        assert f"{words.say(key)} –" in told
    cold = replace(bare, warmth=[(AS_OF - DAY, 0.0), (AS_OF, 0.0)])
    assert words.say("cold") in shown(replace(made, panel=cold))
    assert words.say("course_up", since="", until="").split()[-1] in shown(
        replace(made, panel=replace(bare, warmth=[(AS_OF - DAY, 1.0), (AS_OF, 2.0)]))
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_chances_that_differ_are_said_with_both(language):
    made = lead(1, language, mind=["other_chances"], row={"p_90d": 0.25})
    told = shown(replace(made, chances=made.chances | {"90d": 0.125}))
    both = {"en": ("90 days is 12.500%", "says 25.000%"), "fr": ("90 jours sont de 12,500\u202f%", "dit 25,000\u202f%")}
    assert all(part in told for part in both[language])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_lead_moves_no_cursor_and_turns_no_line(name, language):
    made = lead(made_up().scores["lead_id"].to_pylist().index(name), language)
    reason = replace(made.panel.reasons[0], text=f"\x1b[2J{name}[bold]:bomb:")
    touch = Touch(AS_OF - DAY, f"{name}\x1b]0;x\x07", "inbound")
    hostile = replace(made, panel=replace(made.panel, reasons=[reason], touches=[touch]), shown={name: f"\r{name}"})
    told = shown(hostile)
    assert {sign for sign in told if unicodedata.category(sign) in {"Cc", "Cf", "Cs"}} == {"\n"}
    assert "[bold]:bomb:" in flat(told) or len(name) > 100
    assert len(told) < 6000


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_terminal_with_few_signs_gets_those_it_has(language, encoding):
    made = lead(1, language, mind=MINDS)
    told = shown(made, encoding)
    assert "\\" not in told
    assert "##" in told
    assert "|+++" in told
    assert "--|" in told
    assert re.search("[_.:=+*#]{60}", told)
    if language == "fr" and encoding != "ascii":
        assert "À quel point il est prêt" in told or encoding == "cp437"  # which has no À


def test_nothing_is_said_in_the_other_language():
    own = {name: lead(0, name, mind=MINDS, row={"known": "low", "trend": "declining"}) for name in LANGUAGES}
    lines = {
        name: {re.sub("[^a-zé ]+", "", line).strip() for line in shown(own[name]).splitlines()} for name in LANGUAGES
    }
    assert {line for line in lines["en"] & lines["fr"] if line} <= {"lead", "b call"}
    for code in ("not_enough_info", "js_", "mind_", "known_", "trend_", "action_"):
        assert code not in shown(own["en"]) + shown(own["fr"])
