"""`docs/bi.md`: every snippet is sent as the vendors document it, by the hooks and the relay."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import duckdb
import psycopg
import pytest

from tests.daemon.conftest import Bench, Call, Receiver
from zimun_connectors.duckdb import DuckdbSettings, DuckdbSink
from zimun_connectors.postgres import PostgresSettings, PostgresSink
from zimun_sync import freshness
from zimun_sync.config import load
from zimun_sync.config.serving import HookSettings
from zimun_sync.events import PullFinished
from zimun_sync.sinks import Freshness
from zimun_sync.testing import sink_context

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bi.md").read_text(encoding="utf-8")
RELAY = ROOT / "config" / "hooks" / "bi_relay.py"
CONFIGURATION = """\
state: sqlite:///state.db
sources: {main: {client_id: a, client_secret: b}}
sinks: {analytics: {type: duckdb, path: var/analytics}}
"""
#: What the vendors' documents ask for: method, path with query, headers, body.
DOCUMENTED: dict[str, tuple[str, str, dict[str, str], str]] = {
    "metabase-schema": (
        "POST",
        "/api/database/2/sync_schema",
        {"x-api-key": "METABASE_API_KEY", "content-type": "application/json"},
        "{}",
    ),
    "metabase-filters": (
        "POST",
        "/api/database/2/rescan_values",
        {"x-api-key": "METABASE_API_KEY", "content-type": "application/json"},
        "{}",
    ),
    "metabase-cache": (
        "POST",
        "/api/cache/invalidate?database=2&include=overrides",
        {"x-api-key": "METABASE_API_KEY", "content-type": "application/json"},
        "{}",
    ),
    "superset-bookings": (
        "GET",
        "/api/v1/chart/12/data/?force=true",
        {"authorization": "Bearer SUPERSET_API_KEY"},
        "",
    ),
}
RELAYED = ("superset", "power-bi", "tableau")
ENDED = PullFinished("main", "nightly", "succeeded", 1200, 3, 4.5, "")
SECRETS = ("the-password", "the-client-secret", "the-pat")


def snippets(folder: Path) -> dict[str, HookSettings]:
    """Every hook of the page by its name, loaded; each variable is set to its own name."""
    found: dict[str, HookSettings] = {}
    for number, snippet in enumerate(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)):
        file = folder / f"{number}.yaml"
        file.write_text(CONFIGURATION + snippet, encoding="utf-8")
        file.chmod(0o600)
        names = re.findall(r"\$\{([A-Z_]+)\}", snippet)
        found |= load(file, {name: name for name in names}).hooks
    return found


def called(bench: Bench, name: str, hook: HookSettings, at: str) -> None:
    """Have a snippet's hook called, at another server."""
    address = re.sub(r"^https?://[^/]+", at, hook.url.get_secret_value())
    hooks = bench.hooks(**{name: hook.model_dump() | {"url": address, "allow_private": True}})
    hooks.listen(ENDED)
    bench.work(hooks)


def test_every_snippet_waits_for_the_sink_and_is_one_we_know(tmp_path: Path) -> None:
    hooks = snippets(tmp_path)
    assert hooks.keys() == DOCUMENTED.keys() | set(RELAYED)
    assert {hook.sinks for hook in hooks.values()} == {("analytics",)}
    assert {hook.on for hook in hooks.values()} == {("succeeded",)}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_tool_with_a_lasting_key_is_called_as_documented(
    tmp_path: Path, bench: Bench, name: str
) -> None:
    method, path, headers, body = DOCUMENTED[name]
    called(bench, name, snippets(tmp_path)[name], bench.receiver.url)
    (call,) = bench.receiver.calls
    assert (call.method, call.path, call.body.decode()) == (method, path, body)
    assert headers.items() <= call.headers.items()
    assert bench.failed == []


# -- the relay ---------------------------------------------------------------------------


class Vendor:
    """Plays all three tools: answers by path, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "POST /api/v1/security/login": {"access_token": "jwt"},
            "GET /api/v1/security/csrf_token/": {"result": "csrf"},
            "POST /api/v1/cachekey/invalidate": {},
            "PUT /api/v1/chart/warm_up_cache": {"result": [{"chart_id": 12, "viz_error": None}]},
            "POST /the-tenant/oauth2/v2.0/token": {"access_token": "entra"},
            "POST /v1.0/myorg/groups/the-workspace/datasets/the-model/refreshes": {},
            "POST /api/3.22/auth/signin": {
                "credentials": {"token": "tableau-token", "site": {"id": "site-luid"}}
            },
            "POST /api/3.22/sites/site-luid/datasources/the-source/refresh": {"job": {"id": "j"}},
            "POST /api/3.22/auth/signout": {},
        } | answers

    def __call__(self, receiver: Receiver, handler: BaseHTTPRequestHandler) -> None:
        answer = self.answers[f"{handler.command} {handler.path}"]
        status, document = (answer, {}) if isinstance(answer, int) else (200, answer)
        body = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Location", f"{receiver.url}/elsewhere")
        handler.send_header("Set-Cookie", "session=superset-session; Path=/")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def relay(vendor: str, log: Path, **changes: str) -> Iterator[str]:
    """The relay as a process of its own; its address."""
    settings = {
        "RELAY_TOKEN": "RELAY_TOKEN",
        "RELAY_PORT": "0",
        "SUPERSET_URL": vendor,
        "SUPERSET_USER": "the-user",
        "SUPERSET_PASSWORD": "the-password",
        "SUPERSET_DATASETS": "3,4",
        "SUPERSET_CHARTS": "12",
        "POWERBI_TENANT": "the-tenant",
        "POWERBI_CLIENT_ID": "the-client",
        "POWERBI_CLIENT_SECRET": "the-client-secret",
        "POWERBI_WORKSPACE": "the-workspace",
        "POWERBI_MODEL": "the-model",
        "POWERBI_URL": vendor,
        "POWERBI_LOGIN_URL": vendor,
        "TABLEAU_URL": vendor,
        "TABLEAU_SITE": "the-site",
        "TABLEAU_TOKEN_NAME": "the-pat-name",
        "TABLEAU_TOKEN_SECRET": "the-pat",
        "TABLEAU_SOURCE": "the-source",
    } | changes
    command = [sys.executable, "-I", str(RELAY)]
    with subprocess.Popen(
        command, env={"PATH": os.environ["PATH"]} | settings, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            yield process.stderr.readline().strip().removeprefix("listening on ")
        finally:
            process.kill()
            log.write_text(process.stderr.read(), encoding="utf-8")


@pytest.fixture
def ask(tmp_path: Path, bench: Bench) -> Callable[..., list[Call]]:
    """Call a relayed tool's snippet; what the vendor was asked."""

    def ask(name: str, vendor: Vendor, **changes: str) -> list[Call]:
        bench.receiver.answers = [vendor]
        with relay(bench.receiver.url, tmp_path / "relay.log", **changes) as address:
            called(bench, name, snippets(tmp_path)[name], address)
        return bench.receiver.calls

    return ask


def lines(calls: list[Call]) -> list[str]:
    return [f"{call.method} {call.path}" for call in calls]


def test_superset_signs_in_forgets_the_datasets_and_computes_the_charts(
    ask: Callable[..., list[Call]], bench: Bench
) -> None:
    login, csrf, invalidate, warm_up = ask("superset", Vendor())
    assert lines([login, csrf, invalidate, warm_up]) == [
        "POST /api/v1/security/login",
        "GET /api/v1/security/csrf_token/",
        "POST /api/v1/cachekey/invalidate",
        "PUT /api/v1/chart/warm_up_cache",
    ]
    assert login.json == {"username": "the-user", "password": "the-password", "provider": "db"}
    assert csrf.headers["authorization"] == "Bearer jwt"
    for call in (invalidate, warm_up):
        assert call.headers["authorization"] == "Bearer jwt"
        assert call.headers["x-csrftoken"] == "csrf"
        assert call.headers["cookie"] == "session=superset-session"
        assert call.headers["referer"] == bench.receiver.url
        assert call.headers["content-type"] == "application/json"
    assert invalidate.json == {"datasource_uids": ["3__table", "4__table"]}
    assert warm_up.json == {"chart_id": 12}
    assert bench.failed == []


def test_power_bi_is_refreshed_as_a_service_principal(
    ask: Callable[..., list[Call]], bench: Bench
) -> None:
    token, refresh = ask("power-bi", Vendor())
    assert token.path == "/the-tenant/oauth2/v2.0/token"
    assert token.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(token.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["the-client"],
        "client_secret": ["the-client-secret"],
        "scope": ["https://analysis.windows.net/powerbi/api/.default"],
    }
    assert refresh.path == "/v1.0/myorg/groups/the-workspace/datasets/the-model/refreshes"
    assert refresh.headers["authorization"] == "Bearer entra"
    assert refresh.json == {}
    assert bench.failed == []


def test_tableau_is_signed_in_refreshed_and_signed_out(
    ask: Callable[..., list[Call]], bench: Bench
) -> None:
    signin, refresh, signout = ask("tableau", Vendor())
    assert signin.path == "/api/3.22/auth/signin"
    assert signin.json == {
        "credentials": {
            "personalAccessTokenName": "the-pat-name",
            "personalAccessTokenSecret": "the-pat",
            "site": {"contentUrl": "the-site"},
        }
    }
    assert refresh.path == "/api/3.22/sites/site-luid/datasources/the-source/refresh"
    assert refresh.headers["x-tableau-auth"] == "tableau-token"
    assert (refresh.headers["content-type"], refresh.body) == ("application/xml", b"<tsRequest/>")
    assert (signout.path, signout.headers["x-tableau-auth"]) == (
        "/api/3.22/auth/signout",
        "tableau-token",
    )
    assert bench.failed == []


@pytest.mark.parametrize(
    ("tool", "fault", "words"),
    [
        ("superset", {"POST /api/v1/security/login": 401}, "security/login was answered 401"),
        ("superset", {"POST /api/v1/security/login": {}}, "'access_token' is missing"),
        ("superset", {"GET /api/v1/security/csrf_token/": 302}, "was answered 302"),
        (
            "superset",
            {"PUT /api/v1/chart/warm_up_cache": {"result": [{"viz_error": "no such column"}]}},
            "the query of chart 12 failed",
        ),
        ("power-bi", {"POST /the-tenant/oauth2/v2.0/token": 400}, "token was answered 400"),
        ("tableau", {"POST /api/3.22/auth/signin": 401}, "auth/signin was answered 401"),
    ],
)
def test_what_a_tool_refuses_is_tried_again_and_the_log_says_where(
    ask: Callable[..., list[Call]],
    bench: Bench,
    tmp_path: Path,
    tool: str,
    fault: Mapping[str, Any],
    words: str,
) -> None:
    calls = ask(tool, Vendor(**fault))
    assert lines(calls)[-1] == next(iter(fault))
    (failure,) = bench.failed
    assert "502" in failure.error
    assert failure.wait is not None
    log = (tmp_path / "relay.log").read_text(encoding="utf-8")
    assert words in log
    assert not any(secret in log for secret in SECRETS)


def test_the_session_of_tableau_is_ended_though_the_refresh_failed(
    ask: Callable[..., list[Call]], bench: Bench, tmp_path: Path
) -> None:
    path = "POST /api/3.22/sites/site-luid/datasources/the-source/refresh"
    calls = ask("tableau", Vendor(**{path: 409, "POST /api/3.22/auth/signout": 500}))
    assert lines(calls)[1:] == [path, "POST /api/3.22/auth/signout"]
    assert "refresh was answered 409" in (tmp_path / "relay.log").read_text(encoding="utf-8")
    assert len(bench.failed) == 1


def test_a_tool_that_is_away_is_tried_again(
    ask: Callable[..., list[Call]], bench: Bench, tmp_path: Path
) -> None:
    assert ask("tableau", Vendor(), TABLEAU_URL="http://127.0.0.1:1") == []
    assert len(bench.failed) == 1
    assert "got no answer" in (tmp_path / "relay.log").read_text(encoding="utf-8")


def test_the_relay_does_nothing_without_the_right_token(
    ask: Callable[..., list[Call]], bench: Bench
) -> None:
    assert ask("superset", Vendor(), RELAY_TOKEN="another") == []
    assert "401" in bench.failed[0].error


def test_the_relay_does_not_start_without_a_token() -> None:
    ended = subprocess.run(
        [sys.executable, "-I", str(RELAY)], env={}, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, "Set RELAY_TOKEN" in ended.stderr) == (1, True)


def test_every_variable_of_the_relay_is_described() -> None:
    text = RELAY.read_text(encoding="utf-8")
    read = set(re.findall(r"\"((?:RELAY|SUPERSET|POWERBI|TABLEAU)_[A-Z_]*[A-Z])\"", text))
    section = PAGE.partition("## The relay")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([A-Z]+_[A-Z_]+)`", section)) == read


# -- freshness ---------------------------------------------------------------------------


NOW = datetime.now(UTC).replace(microsecond=0)
OLD = NOW - timedelta(days=2)
ROWS = [
    Freshness("main", "appointments", NOW, "succeeded", NOW, 3, NOW),
    Freshness("main", "locations", OLD, "succeeded", NOW, 3, NOW),
    Freshness("main", "resources", None, "not_offered", None, 0, NOW),
    Freshness("main", "staff", NOW, "failed", None, 0, NOW),
]
AGE, WARNING = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def check_answers(run: Callable[[str], list[tuple[Any, ...]]]) -> None:
    ((age,),) = run(AGE)
    assert 48 <= float(age) < 49
    assert [row[:3] for row in run(WARNING)] == [
        ("main", "locations", "succeeded"),
        ("main", "staff", "failed"),
    ]


def test_the_queries_answer_in_duckdb(tmp_path: Path) -> None:
    sink = DuckdbSink(DuckdbSettings(path=Path("zimun.duckdb")), tmp_path)
    sink.open(sink_context())
    sink.show_freshness(ROWS)
    with duckdb.connect(tmp_path / "zimun.duckdb", read_only=True) as connection:
        check_answers(lambda query: connection.execute(query).fetchall())
    sink.close()


def test_the_queries_answer_in_postgresql(postgres_url: str) -> None:
    name = f"bi{postgres_url.rpartition('_')[2]}"
    sink = PostgresSink(PostgresSettings.model_validate({"url": postgres_url, "schema": name}))
    sink.open(sink_context())
    sink.show_freshness(ROWS)
    sink.close()
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"SET search_path = {name}")
        check_answers(lambda query: connection.execute(query).fetchall())


def test_the_columns_are_those_there_are() -> None:
    section = PAGE.partition("## How fresh a dashboard is")[2].partition("```")[0]
    rows = re.findall(r"^\| (`.*?) \| ", section, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`([a-z_]+)`", row)] == [
        column.name for column in freshness.COLUMNS
    ]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(((?!http)[^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
