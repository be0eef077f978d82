"""Judge staged rows against each other and against the store: what is rejected, what is new, what is a repeat.

For each table two tables come out of it: `rejected_<table>` (pos, file, rules), one row per staged row that broke a
rule, and `fresh_<table>` (pos, file), one row per row to be added. All others were left out or are repeats.
"""

from __future__ import annotations

import duckdb

from leadscore.contract.tables import LEADS, Table
from leadscore.ingest.normalise import bucket_of, identity
from leadscore.ingest.staging import own_columns
from leadscore.store.lake import STORE_COLUMNS, Lake

_STORED_LEADS = """
create temp table stored_leads as
with moments as (
    select lead_id, account_id, referrer_id, bucket, attributes, row_id, epoch_us(created_at) as created_at,
        epoch_us(closes_at) as closes_at, epoch_us(known_at) as known_at
    from {stored}
)
select *, {content} as content from moments
"""

_VERSIONS = """
create temp table versions as
with
candidates as (
    select rowid as pos, file, lead_id, account_id, referrer_id, created_at, closes_at, known_at as given, attributes,
        digest as content, list_contains($known_files, file) as file_is_known
    from stage_leads
    where not excluded and broken = ''
),
latest as (
    select lead_id, arg_max(content, (known_at, row_id)) as content, max(known_at) as known_at
    from stored_leads
    group by lead_id
),
contents as (
    select distinct lead_id, content from stored_leads
),
moments as (
    select distinct lead_id, known_at from stored_leads
),
compared as (
    select candidates.*, latest.known_at as last_known_at,
        latest.lead_id is not null as in_store,
        contents.lead_id is not null as seen_before,
        moments.lead_id is not null as moment_is_taken,
        coalesce(latest.content = candidates.content, false) as is_latest
    from candidates
    left join latest on latest.lead_id = candidates.lead_id
    left join contents on contents.lead_id = candidates.lead_id and contents.content = candidates.content
    left join moments on moments.lead_id = candidates.lead_id and moments.known_at = candidates.given
),
told as (
    select *,
        file_is_known and seen_before as is_old_news,
        case
            when file_is_known then seen_before
            when given is null then is_latest
            else moment_is_taken and seen_before
        end as is_repeat,
        coalesce(given, case when in_store then $seen_at else created_at end) as moment
    from compared
),
final as (
    select *,
        not is_old_news and coalesce(min(content) over said <> max(content) over said, false) as is_ambiguous,
        row_number() over (partition by lead_id, moment, content, is_repeat order by pos) > 1 as is_again
    from told
    window said as (partition by lead_id, moment, is_old_news)
)
select * from final
"""

_REJECTED_LEADS = """
create temp table rejected_leads as
select rowid as pos, file, broken as rules from stage_leads where not excluded and broken <> ''
union all
select pos, file, 'ambiguous_version' as rules from versions where is_ambiguous
"""

_FRESH_LEADS = """
create temp table fresh_leads as
with
accepted as (
    select *, in_store and (given is null or moment_is_taken) as is_known_from_now
    from versions
    where not (is_ambiguous or is_repeat or is_again)
),
-- Several corrections of one lead keep their order by a microsecond each, and the newest is the last.
final as (
    select *,
        case
            when is_known_from_now then greatest($seen_at, last_known_at + count(*) over together)
                - row_number() over (together order by given desc nulls first) + 1
            else coalesce(given, created_at)
        end as known_at
    from accepted
    window together as (partition by lead_id, is_known_from_now)
)
select * from final
"""

_HOMES = """
create temp table homes as
with
arrivals as (
    select lead_id, first(account_id order by known_at, account_id nulls last) as account_id,
        min(created_at) as created_at
    from fresh_leads
    group by lead_id
),
residents as (
    select lead_id, any_value(bucket) as bucket, min(created_at) as created_at
    from stored_leads
    group by lead_id
),
final as (
    select lead_id,
        coalesce(residents.bucket, {bucket}) as bucket,
        least(arrivals.created_at, residents.created_at) as created_at
    from arrivals full join residents using (lead_id)
)
select * from final
"""


def judge_leads(engine: duckdb.DuckDBPyConnection, lake: Lake, known_files: list[int], seen_at: int) -> None:
    """Find the new versions of leads, and make `homes`: per lead its bucket and earliest creation.

    A lead lives for good in the bucket of its first account, or in its own where it first had none.

    A source without `known_at` says what its leads are like at `seen_at`: a repeat if that is what the store knew last,
    a new version if not; a lead that is new is taken to have been so since its creation. A `known_at` is taken at its
    word, unless the store holds something else for that very moment: then it is a correction, known since `seen_at`.
    A file that is read again for the sake of its rejected rows says nothing new with the others.
    """
    engine.execute(_STORED_LEADS.format(stored=lake.scan("leads"), content=identity(own_columns(LEADS))))
    engine.execute(_VERSIONS, {"seen_at": seen_at, "known_files": known_files})
    engine.execute(_REJECTED_LEADS)
    engine.execute(_FRESH_LEADS, {"seen_at": seen_at})
    engine.execute(_HOMES.format(bucket=bucket_of("coalesce(arrivals.account_id, lead_id)", lake.buckets)))


def judge_facts(engine: duckdb.DuckDBPyConnection, lake: Lake, table: Table) -> None:
    """Find the rejected and the new rows of interactions, outcomes or consents; `homes` must be there."""
    too_early = "coalesce(staged.occurred_at < homes.created_at, false)" if table.name == "outcomes" else "false"
    engine.execute(f"""
        create temp table rejected_{table.name} as
        select staged.rowid as pos, staged.file,
            concat_ws(' ', nullif(staged.broken, ''),
                case when staged.lead_id is not null and homes.lead_id is null then 'unknown_lead' end,
                case when {too_early} then 'outcome_before_creation' end) as rules
        from stage_{table.name} as staged left join homes on homes.lead_id = staged.lead_id
        where not staged.excluded and (staged.broken <> '' or homes.lead_id is null or {too_early})
    """)
    engine.execute(f"""
        create temp table fresh_{table.name} as
        with
        good as (
            select rowid as pos, file, digest
            from stage_{table.name} as staged
            where not excluded and not exists (from rejected_{table.name} as rejected where rejected.pos = staged.rowid)
        ),
        firsts as (
            select min(pos) as pos, arg_min(file, pos) as file, digest from good group by digest
        ),
        final as (
            select pos, file from firsts
            where not exists (from {lake.scan(table.name)} as stored where stored.row_id = firsts.digest)
        )
        select * from final
    """)


def rows_to_add(table: Table) -> str:
    """Give SQL for the fresh rows as the store holds them, sorted by bucket, lead and time."""
    moments = {column.name for column in table.columns if column.type == "moment"}
    columns = ", ".join(
        f"make_timestamptz({name}) as {name}" if name in moments else name for name in STORE_COLUMNS[table.name]
    )
    if table.name == "leads":
        rows = f"""
            select *, {identity(table.columns)} as row_id
            from (
                select fresh.*, homes.bucket
                from fresh_leads as fresh join homes on homes.lead_id = fresh.lead_id
            )
        """
    else:
        rows = f"""
            select staged.*, staged.digest as row_id, homes.bucket
            from stage_{table.name} as staged
            join fresh_{table.name} as fresh on fresh.pos = staged.rowid
            join homes on homes.lead_id = staged.lead_id
        """
    when = "known_at" if table.name == "leads" else "occurred_at"
    return f"select {columns} from ({rows}) order by bucket, lead_id, {when}, row_id"
