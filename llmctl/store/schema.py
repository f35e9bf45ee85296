"""The tables that journals are imported into, and the views that users may rely on.

Every row of a journal's event carries `run_id` and `position`, the byte at which its line begins: rows sort as they
were recorded. Times are UTC epoch seconds in the tables and `TIMESTAMP` in the views (a `TIMESTAMPTZ` could not be read
from Python without another package). Free data is JSON text.
"""

from __future__ import annotations

__all__ = ["ADDED_COLUMNS", "EVENT_TABLES", "TABLES", "VIEWS"]

_TEXT = "VARCHAR USING COMPRESSION zstd"
"""For texts that are long and alike: half the size of what DuckDB chooses by itself, and written faster."""

TABLES = (
    """
    CREATE TABLE journal_rows (
        run_id VARCHAR NOT NULL,
        read_bytes BIGINT NOT NULL,     -- all before this byte is imported
        lines BIGINT NOT NULL,
        damage BIGINT NOT NULL,         -- lines among them that could not be read
        seen_bytes BIGINT NOT NULL,     -- size and time of the file when it was read to its end
        seen_mtime_ns BIGINT NOT NULL,
        fingerprint VARCHAR NOT NULL,   -- of what is imported, so that another file under the name is noticed
        named_at DOUBLE                 -- the time in the run's id
    )""",
    """
    CREATE TABLE run_heads (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, started_at DOUBLE, command VARCHAR, planned BIGINT,
        label VARCHAR, "commit" VARCHAR, branch VARCHAR, dirty BOOLEAN, llmctl_version VARCHAR, python_version VARCHAR,
        versions VARCHAR, options VARCHAR, pid BIGINT, format BIGINT
    )""",
    """
    CREATE TABLE run_ends (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, status VARCHAR, ended_at DOUBLE, done BIGINT, error VARCHAR
    )""",
    """
    CREATE TABLE prompt_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, name VARCHAR, label VARCHAR, digest VARCHAR, rev VARCHAR,
        "commit" VARCHAR, source VARCHAR
    )""",
    """
    CREATE TABLE target_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, prompt VARCHAR, prompt_name VARCHAR, model VARCHAR,
        resolved_model VARCHAR, transport VARCHAR, endpoint VARCHAR, params VARCHAR, price_input DOUBLE,
        price_output DOUBLE, config VARCHAR DEFAULT '{}'
    )""",
    """
    CREATE TABLE bank_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, name VARCHAR, path VARCHAR, digest VARCHAR,
        targets VARCHAR DEFAULT '[]'
    )""",
    """
    CREATE TABLE IF NOT EXISTS plan_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, planned BIGINT, cases BIGINT, repeat BIGINT, targets VARCHAR,
        tags VARCHAR
    )""",
    """
    CREATE TABLE IF NOT EXISTS judge_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, bank VARCHAR, metric VARCHAR, model VARCHAR,
        resolved_model VARCHAR, identity VARCHAR, arguments VARCHAR, template BIGINT, key VARCHAR, config VARCHAR
    )""",
    f"""
    CREATE TABLE case_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, bank VARCHAR, case_id VARCHAR, vars {_TEXT},
        expected VARCHAR, has_expected BOOLEAN, tags VARCHAR[], "group" VARCHAR, must_pass BOOLEAN, weight BIGINT,
        pass_score DOUBLE, evaluators {_TEXT}, digest VARCHAR
    )""",
    f"""
    CREATE TABLE call_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, call_id VARCHAR, key VARCHAR, provider VARCHAR,
        model VARCHAR, transport VARCHAR, endpoint VARCHAR, outcome VARCHAR, output {_TEXT}, tool_calls VARCHAR,
        finish_reason VARCHAR, served_model VARCHAR, input_tokens BIGINT, output_tokens BIGINT, cached_tokens BIGINT,
        reasoning_tokens BIGINT, cost_usd DOUBLE, started_at DOUBLE, latency_ms DOUBLE, ttft_ms DOUBLE, error VARCHAR,
        purpose VARCHAR DEFAULT 'target'
    )""",
    f"""
    CREATE TABLE attempt_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, call_id VARCHAR, number BIGINT, started_at DOUBLE,
        latency_ms DOUBLE, outcome VARCHAR, status BIGINT, error VARCHAR, ttft_ms DOUBLE, request_id VARCHAR,
        retry_after_s DOUBLE, request_body {_TEXT}, response_body {_TEXT}, response_headers {_TEXT}
    )""",
    f"""
    CREATE TABLE result_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, bank VARCHAR, case_id VARCHAR, prompt VARCHAR,
        model VARCHAR, repeat BIGINT, outcome VARCHAR, passed BOOLEAN, score DOUBLE, reason VARCHAR, call_id VARCHAR,
        call_key VARCHAR, cached BOOLEAN, output {_TEXT}, finish_reason VARCHAR, latency_ms DOUBLE, ttft_ms DOUBLE,
        input_tokens BIGINT, output_tokens BIGINT, cost_usd DOUBLE, tags VARCHAR[], expected VARCHAR,
        case_number BIGINT, "group" VARCHAR, must_pass BOOLEAN DEFAULT false
    )""",
    f"""
    CREATE TABLE score_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, number BIGINT NOT NULL, metric VARCHAR, evaluator VARCHAR,
        weight DOUBLE, score DOUBLE, passed BOOLEAN, explanation {_TEXT}, error BOOLEAN, extracted VARCHAR,
        score_key VARCHAR, stale BOOLEAN DEFAULT false
    )""",
    # Of traffic journals; their `run_id` is `traffic/` and the import's id, which no run can have.
    """
    CREATE TABLE IF NOT EXISTS traffic_journals (
        run_id VARCHAR NOT NULL, read_bytes BIGINT NOT NULL, lines BIGINT NOT NULL, damage BIGINT NOT NULL,
        seen_bytes BIGINT NOT NULL, seen_mtime_ns BIGINT NOT NULL, fingerprint VARCHAR NOT NULL, named_at DOUBLE
    )""",
    f"""
    CREATE TABLE IF NOT EXISTS traffic_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, id VARCHAR, file VARCHAR, line BIGINT, raw_at BIGINT,
        format VARCHAR, source_id VARCHAR, trace_id VARCHAR, parent_id VARCHAR, session_id VARCHAR, started_at DOUBLE,
        latency_ms DOUBLE, ttft_ms DOUBLE, provider VARCHAR, model VARCHAR, served_model VARCHAR, endpoint VARCHAR,
        status BIGINT, messages {_TEXT}, tools {_TEXT}, tool_choice VARCHAR, response_format {_TEXT}, params {_TEXT},
        outcome VARCHAR, output {_TEXT}, tool_calls {_TEXT}, finish_reason VARCHAR, error {_TEXT}, input_tokens BIGINT,
        output_tokens BIGINT, cached_tokens BIGINT, reasoning_tokens BIGINT, cost_usd DOUBLE, prompt_name VARCHAR,
        prompt_version VARCHAR, variables {_TEXT}, tags VARCHAR[], metadata {_TEXT}, "user" VARCHAR,
        environment VARCHAR, not_replayable VARCHAR
    )""",
    f"""
    CREATE TABLE IF NOT EXISTS traffic_feedback_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, id VARCHAR, call_id VARCHAR, kind VARCHAR, value DOUBLE,
        text {_TEXT}, name VARCHAR, source VARCHAR, target VARCHAR, "at" DOUBLE
    )""",
    # Of the journal of events.
    f"""
    CREATE TABLE IF NOT EXISTS feedback_rows (
        run_id VARCHAR NOT NULL, position BIGINT NOT NULL, id VARCHAR, origin VARCHAR, kind VARCHAR, value DOUBLE,
        text {_TEXT}, name VARCHAR, source VARCHAR, target VARCHAR, "at" DOUBLE, "by" VARCHAR, token_distance DOUBLE,
        draft {_TEXT}
    )""",
)

EVENT_TABLES = (
    "run_heads",
    "run_ends",
    "prompt_rows",
    "target_rows",
    "bank_rows",
    "case_rows",
    "plan_rows",
    "judge_rows",
    "call_rows",
    "attempt_rows",
    "result_rows",
    "score_rows",
    "traffic_rows",
    "traffic_feedback_rows",
    "feedback_rows",
)
"""The tables whose rows come from a journal's lines, and go when the journal is replaced."""


ADDED_COLUMNS = (
    "ALTER TABLE target_rows ADD COLUMN IF NOT EXISTS config VARCHAR DEFAULT '{}'",
    "ALTER TABLE bank_rows ADD COLUMN IF NOT EXISTS targets VARCHAR DEFAULT '[]'",
    "ALTER TABLE result_rows ADD COLUMN IF NOT EXISTS case_number BIGINT",
    'ALTER TABLE result_rows ADD COLUMN IF NOT EXISTS "group" VARCHAR',
    "ALTER TABLE result_rows ADD COLUMN IF NOT EXISTS must_pass BOOLEAN DEFAULT false",
    "ALTER TABLE call_rows ADD COLUMN IF NOT EXISTS purpose VARCHAR DEFAULT 'target'",
    "ALTER TABLE score_rows ADD COLUMN IF NOT EXISTS stale BOOLEAN DEFAULT false",
)
"""What a file of the first schema lacks, in the order in which the tables above have it."""


def _timestamp(column: str) -> str:
    """A UTC TIMESTAMP of epoch seconds; NULL where a clock said nonsense."""
    return f"TRY(make_timestamp(TRY_CAST({column} * 1000000 AS BIGINT)))"


VIEWS = (
    # Only a run that was resumed (a second head) can hold a result twice: then the later one counts.
    """
    CREATE OR REPLACE VIEW current_results AS
    SELECT r.* FROM result_rows r ANTI JOIN (
        SELECT run_id, position
        FROM result_rows SEMI JOIN (SELECT run_id FROM run_heads GROUP BY run_id HAVING count(*) > 1) USING (run_id)
        QUALIFY row_number() OVER
            (PARTITION BY run_id, bank, case_id, prompt, model, repeat ORDER BY position DESC) > 1
    ) replaced USING (run_id, position)""",
    # A journal that goes on after its end has a later head; its end counts only when it comes after that.
    f"""
    CREATE OR REPLACE VIEW runs AS
    WITH heads AS (
        SELECT * FROM run_heads QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY position DESC) = 1
    ), ends AS (
        SELECT * FROM run_ends QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY position DESC) = 1
    ), counted AS (
        SELECT run_id, count(*) AS done, count_if(passed)::BIGINT AS passed,
            count_if(NOT passed)::BIGINT AS failed, count_if(passed IS NULL)::BIGINT AS errors,
            count_if(cached)::BIGINT AS cached
        FROM current_results GROUP BY run_id
    ), spent AS (
        SELECT run_id, count(*) AS calls, count_if(cost_usd IS NULL)::BIGINT AS unpriced_calls,
            sum(cost_usd) AS cost_usd, sum(input_tokens)::BIGINT AS input_tokens,
            sum(output_tokens)::BIGINT AS output_tokens
        FROM call_rows GROUP BY run_id
    ), aimed AS (
        SELECT run_id, count(*) AS targets FROM target_rows GROUP BY run_id
    ), plans AS (
        SELECT run_id, max_by(planned, position) AS planned FROM plan_rows GROUP BY run_id
    )
    SELECT j.run_id, h.label, coalesce(h.command, '') AS command,
        CASE WHEN e.position > coalesce(h.position, -1) THEN e.status ELSE 'unfinished' END AS status,
        {_timestamp("coalesce(h.started_at, j.named_at)")} AS started_at,
        CASE WHEN e.position > coalesce(h.position, -1) THEN {_timestamp("e.ended_at")} END AS ended_at,
        h."commit", h.branch, h.dirty, coalesce(p.planned, h.planned, 0) AS planned,
        coalesce(c.done, 0) AS done, coalesce(c.passed, 0) AS passed, coalesce(c.failed, 0) AS failed,
        coalesce(c.errors, 0) AS errors, coalesce(c.cached, 0) AS cached, coalesce(t.targets, 0) AS targets,
        coalesce(s.calls, 0) AS calls, coalesce(s.unpriced_calls, 0) AS unpriced_calls,
        CASE WHEN s.run_id IS NULL THEN 0.0 ELSE s.cost_usd END AS cost_usd,
        CASE WHEN s.run_id IS NULL THEN 0 ELSE s.input_tokens END AS input_tokens,
        CASE WHEN s.run_id IS NULL THEN 0 ELSE s.output_tokens END AS output_tokens,
        CASE WHEN e.position > coalesce(h.position, -1) THEN e.error END AS error,
        j.damage AS damaged_lines, h.llmctl_version, h.python_version, h.versions, h.options
    FROM journal_rows j
    LEFT JOIN heads h USING (run_id) LEFT JOIN ends e USING (run_id) LEFT JOIN counted c USING (run_id)
    LEFT JOIN spent s USING (run_id) LEFT JOIN aimed t USING (run_id) LEFT JOIN plans p USING (run_id)""",
    """
    CREATE OR REPLACE VIEW results AS
    SELECT r.run_id, r.bank, r.case_id, r.prompt, p.prompt_name, r.model, r.repeat, r.outcome, r.passed, r.score,
        r.reason, r.output, r.expected, r.tags, r.latency_ms, r.ttft_ms, r.input_tokens, r.output_tokens, r.cost_usd,
        r.cached, r.finish_reason, r.call_id, r.call_key, r.case_number, r."group", r.must_pass,
        r.position
    FROM current_results r
    LEFT JOIN (SELECT run_id, label AS prompt, any_value(name) AS prompt_name FROM prompt_rows GROUP BY ALL) p
        USING (run_id, prompt)""",
    """
    CREATE OR REPLACE VIEW scores AS
    SELECT r.run_id, r.bank, r.case_id, r.prompt, r.model, r.repeat, s.metric, s.evaluator, s.score, s.passed,
        s.explanation, s.weight, s.error, s.extracted, s.score_key, s.stale
    FROM score_rows s JOIN current_results r USING (run_id, position)""",
    f"""
    CREATE OR REPLACE VIEW calls AS
    SELECT run_id, call_id, key AS call_key, provider, model, served_model, transport, endpoint, outcome, output,
        tool_calls, finish_reason, input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost_usd,
        {_timestamp("started_at")} AS started_at, latency_ms, ttft_ms, error, purpose
    FROM call_rows""",
    f"""
    CREATE OR REPLACE VIEW attempts AS
    SELECT run_id, call_id, number, {_timestamp("started_at")} AS started_at, latency_ms, outcome, status, error,
        ttft_ms, request_id, retry_after_s, request_body, response_body, response_headers
    FROM attempt_rows""",
    """
    CREATE OR REPLACE VIEW cases AS SELECT * EXCLUDE (position) FROM case_rows""",
    """
    CREATE OR REPLACE VIEW prompts AS SELECT * EXCLUDE (position) FROM prompt_rows""",
    """
    CREATE OR REPLACE VIEW targets AS SELECT * EXCLUDE (position) FROM target_rows""",
    """
    CREATE OR REPLACE VIEW banks AS SELECT * EXCLUDE (position) FROM bank_rows""",
    """
    CREATE OR REPLACE VIEW judges AS SELECT * EXCLUDE (position) FROM judge_rows""",
    f"""
    CREATE OR REPLACE VIEW traffic AS
    SELECT id AS call_id, run_id[9:] AS import_id, {_timestamp("started_at")} AS started_at, model, provider,
        served_model, endpoint, status, outcome, finish_reason, error, latency_ms, ttft_ms, input_tokens,
        output_tokens, cached_tokens, reasoning_tokens, cost_usd, prompt_name AS prompt, prompt_version, variables,
        messages, output, tool_calls, tools, tool_choice, response_format, params, tags, metadata, "user",
        environment, session_id, trace_id, parent_id, source_id, not_replayable, format, file, line, position
    FROM traffic_rows""",
    # Whose feedback it is comes out when it is asked: a call may be imported after what was said of it. The id of a
    # call wins over a log's own id, and that over a trace's; one that several calls have means none of them.
    f"""
    CREATE OR REPLACE VIEW feedback AS
    WITH said AS (
        SELECT id, call_id, 'explicit' AS origin, kind, "value", text, name, source, target, "at", NULL AS "by",
            NULL AS token_distance, NULL AS draft, run_id, position
        FROM traffic_feedback_rows
        UNION ALL
        SELECT id, NULL, origin, kind, "value", text, name, source, target, "at", "by", token_distance, draft, run_id,
            position
        FROM feedback_rows
    ), named AS (
        SELECT DISTINCT target FROM said WHERE call_id IS NULL AND target IS NOT NULL
    ), found AS (
        SELECT target, t.id AS call_id, 1 AS rank FROM named JOIN traffic_rows t ON t.id = target
        UNION ALL SELECT target, c.call_id, 1 FROM named JOIN call_rows c ON c.call_id = target
        UNION ALL SELECT target, t.id, 2 FROM named JOIN traffic_rows t ON t.source_id = target
        UNION ALL SELECT target, t.id, 3 FROM named JOIN traffic_rows t ON t.trace_id = target
    ), meant AS (
        SELECT target, any_value(call_id) AS call_id
        FROM (FROM found QUALIFY rank = min(rank) OVER (PARTITION BY target))
        GROUP BY target HAVING count(DISTINCT call_id) = 1
    ), whose AS (
        SELECT s.* REPLACE (coalesce(s.call_id, m.call_id) AS call_id) FROM said s LEFT JOIN meant m USING (target)
    ), of_runs AS (
        SELECT r.call_id, min(r.run_id) AS run_id, any_value(coalesce(p.name, r.prompt)) AS prompt,
            any_value(p.digest[:12]) AS prompt_version, any_value(r.model) AS model,
            any_value(c.started_at) AS started_at
        FROM result_rows r SEMI JOIN whose USING (call_id) JOIN call_rows c USING (call_id)
        LEFT JOIN (SELECT run_id, label AS prompt, any_value(name) AS name, any_value(digest) AS digest
            FROM prompt_rows GROUP BY ALL) p ON p.run_id = r.run_id AND p.prompt = r.prompt
        GROUP BY r.call_id
    )
    SELECT w.call_id, w.kind, w."value", w.text, w.name, w.source, w."by", w.origin,
        CASE WHEN w.kind <> 'edit' THEN NULL WHEN w."value" IS NULL THEN 'abandoned' WHEN w."value" = 0 THEN 'accepted'
            ELSE 'edited' END AS edit,
        w.token_distance, w.draft, {_timestamp('w."at"')} AS "at", coalesce(t.prompt_name, r.prompt) AS prompt,
        coalesce(t.prompt_version, r.prompt_version) AS prompt_version,
        coalesce(t.model, t.served_model, r.model) AS model,
        {_timestamp("coalesce(t.started_at, r.started_at)")} AS started_at, r.run_id, w.target, w.id AS feedback_id,
        w.run_id AS journal, w.position
    FROM whose w LEFT JOIN traffic_rows t ON t.id = w.call_id LEFT JOIN of_runs r ON r.call_id = w.call_id""",
)
