"""Write a company as its tools would export it: one layout each, exact repeats, a few broken rows, and the YAML."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from leadscore.simulate.company import TIME_ZONE, Company

_REPEAT_EVERY = 499  # each row of that place stands in the file once more, as after a hasty second export
_UNKNOWN_LEAD = "00Q999999999999"
_STAGES = {"converted": "Closed Won", "lost": "Closed Lost", "disqualified": "Disqualified"}


def export(company: Company, folder: Path, language: Literal["en", "fr"]) -> Path:
    """Write the input files and `leadscore.yaml` into `folder` and return the path of the YAML.

    The truth is not among them: see `write_truth`. The same company and language give the same bytes.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(_leads(company), folder / "leads.csv")
    _write_csv(_emails(company), folder / "emails.csv")
    # Without mtime=0 the archive would hold the moment of its writing, and differ each time.
    visits = {"method": "gzip", "compresslevel": 6, "mtime": 0}
    _write_csv(_web_visits(company), folder / "web_visits.csv.gz", compression=visits)
    _write_csv(_calls(company), folder / "calls.csv", sep=";")
    _webinars(company).to_json(folder / "webinars.jsonl", orient="records", lines=True, force_ascii=False)
    _write_csv(_mentions(company), folder / "mentions.csv")
    _write_csv(_outcomes(company), folder / "outcomes.csv")
    _write_csv(_optouts(company), folder / "optouts.csv")
    return _write_settings(folder / "leadscore.yaml", language, max(5, len(company.leads) // 100))


def _write_csv(table: pd.DataFrame, path: Path, **options: Any) -> None:
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8", **options)


def _write_settings(path: Path, language: str, capacity: int) -> Path:
    text = importlib.resources.files("leadscore.simulate").joinpath("leadscore.yaml").read_text("utf-8")
    text = text.replace("language: en", f"language: {language}").replace("capacity: 50 ", f"capacity: {capacity} ")
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _leads(company: Company) -> pd.DataFrame:
    leads = company.leads
    table = pd.DataFrame(
        {
            "Id": leads["lead_id"],
            "AccountId": leads["account_id"],
            "FirstName": leads["first_name"],
            "LastName": leads["last_name"],
            "Email": leads["email"],
            "CreatedDate": _utc(leads["created_at"]),
            "Industry": leads["industry"],
            "Country": leads["country"],
            "Employees": leads["employees"],
            "JobRole": leads["job_role"],
            "LeadSource": leads["lead_source"],
        }
    )
    return _spoil(
        table,
        {"Id": "00Q999999999998", "CreatedDate": "2025-02-30T09:00:00Z"},
        {"FirstName": "Zoé", "LastName": "Nobody", "CreatedDate": "2025-03-03T09:00:00Z"},
    )


def _emails(company: Company) -> pd.DataFrame:
    mails = _of(company, "mail_sent", "mail_open", "mail_click")
    table = pd.DataFrame(
        {
            "Timestamp": _local(mails["occurred_at"]),
            "Contact": mails["lead_id"],
            "Event": mails["kind"],
            "Campaign": mails["campaign_id"],
            "Link": mails["content_id"],
            "LinkLayer": mails["layer"],
            "LinkTopic": mails["topic"],
        }
    )
    known = str(company.leads["lead_id"].iloc[0])
    return _spoil(
        table,
        {"Timestamp": "2025-13-45 09:00:00", "Contact": known, "Event": "mail_sent"},
        {"Timestamp": "2025-06-02 09:15:00", "Contact": _UNKNOWN_LEAD, "Event": "mail_sent"},
        {"Timestamp": "2025-06-02 09:15:00", "Event": "mail_open"},
        {"Timestamp": "2025-06-02 09:15:00", "Contact": known},
    )


def _web_visits(company: Company) -> pd.DataFrame:
    visits = _of(company, "page_view", "download", "demo_request", "chat")
    table = pd.DataFrame(
        {
            "visitor": visits["lead_id"],
            "time": _with_offset(visits["occurred_at"]),
            "action": visits["kind"],
            "page": visits["content_id"],
            "depth": visits["layer"],
            "theme": visits["topic"],
            "seconds": visits["value"].astype("Int64"),
        }
    )
    known = str(company.leads["lead_id"].iloc[0])
    return _spoil(
        table.astype({"depth": "object"}),
        {"visitor": known, "time": "yesterday", "action": "page_view", "page": "blog-01", "depth": 1},
        {"visitor": known, "time": "2199-01-01T08:00:00+01:00", "action": "page_view", "page": "blog-01"},
        {"visitor": known, "time": "2025-06-02T10:00:00+02:00", "action": "page_view", "depth": "deep"},
        {"visitor": _UNKNOWN_LEAD, "time": "2025-06-02T10:00:00+02:00", "action": "page_view"},
    )


def _calls(company: Company) -> pd.DataFrame:
    calls = _of(company, "call", "conversation")
    at = calls["occurred_at"].dt.tz_convert(TIME_ZONE)
    table = pd.DataFrame(
        {
            "When": at.dt.strftime("%d/%m/%Y %H:%M:%S"),
            "Who": calls["lead_id"],
            "What": calls["kind"],
            "Seconds": calls["value"].astype("Int64"),
        }
    )
    known = str(company.leads["lead_id"].iloc[0])
    return _spoil(table, {"When": "31/02/2025 10:00:00", "Who": known, "What": "call", "Seconds": 20})


def _webinars(company: Company) -> pd.DataFrame:
    meetings = _of(company, "webinar_registered", "webinar_attended", "event_visit")
    return pd.DataFrame(
        {
            "person": meetings["lead_id"],
            "at": _utc(meetings["occurred_at"]),
            "what": meetings["kind"],
            "where": meetings["channel"],
            "title": meetings["content_id"],
            "seconds": meetings["value"].astype("Int64"),
        }
    )


def _mentions(company: Company) -> pd.DataFrame:
    mentions = _of(company, "mention")
    table = pd.DataFrame(
        {
            "Heard": _with_offset(mentions["occurred_at"]),
            "Source": mentions["source_id"],
            "Lead": mentions["lead_id"],
        }
    )
    return _spoil(
        table,
        {"Heard": "2025-06-02T07:00:00+02:00", "Source": "press-the-ledger", "Lead": _UNKNOWN_LEAD},
    )


def _outcomes(company: Company) -> pd.DataFrame:
    outcomes = company.outcomes
    table = pd.DataFrame(
        {
            "LeadId": outcomes["lead_id"],
            "ClosedAt": _local(outcomes["occurred_at"]),
            "StageName": outcomes["outcome"].map(_STAGES),
        }
    )
    return _spoil(table, {"LeadId": _UNKNOWN_LEAD, "ClosedAt": "2025-06-02 15:00:00", "StageName": "Closed Lost"})


def _optouts(company: Company) -> pd.DataFrame:
    return pd.DataFrame({"Lead": company.consents["lead_id"], "SaidNoAt": _utc(company.consents["occurred_at"])})


def _of(company: Company, *kinds: str) -> pd.DataFrame:
    return company.interactions[company.interactions["kind"].isin(kinds)]


def _spoil(table: pd.DataFrame, *broken: dict[str, object]) -> pd.DataFrame:
    """Append some exact repeats and the broken rows; what was there stays as it is."""
    bad = pd.DataFrame(list(broken), columns=table.columns).astype("object")
    return pd.concat([table.astype("object"), table.iloc[7::_REPEAT_EVERY].astype("object"), bad])


def _local(at: pd.Series[Any]) -> pd.Series[Any]:
    """Write moments as local time without an offset: `2025-01-06 09:30:00`."""
    return _iso(at).str.replace("T", " ")


def _with_offset(at: pd.Series[Any]) -> pd.Series[Any]:
    """Write moments as local time with its offset: `2025-01-06T09:30:00+01:00`."""
    local = at.dt.tz_convert(TIME_ZONE).dt.tz_localize(None)
    hours = (local - at.dt.tz_localize(None)) // pd.Timedelta(hours=1)
    offset: pd.Series[Any] = hours.map({1: "+01:00", 2: "+02:00"})
    return _iso(at) + offset


def _utc(at: pd.Series[Any]) -> pd.Series[Any]:
    """Write moments in UTC: `2025-01-06T08:30:00Z`."""
    return _iso(at, "UTC") + "Z"


def _iso(at: pd.Series[Any], time_zone: str = TIME_ZONE) -> pd.Series[Any]:
    naive = at.dt.tz_convert(time_zone).dt.tz_localize(None)
    # A hundred times faster than strftime, and there are a hundred thousand of them.
    return pd.Series(np.datetime_as_string(naive.to_numpy(), unit="s"), index=at.index, dtype="str")
