"""Settings from `ZIMUN_SYNC_…` variables."""

from collections.abc import Callable

import pytest

from zimun_sync.config import Config

GOOD = """\
sources:
  main: {client_id: id, client_secret: s3cr3t-value, page_size: 50, scopes: [org:read]}
sinks:
  front-desk: {type: test-crm, api_key: k, lists: [a]}
"""
pytestmark = pytest.mark.usefixtures("crm")

Load = Callable[..., Config]
Problems = Callable[..., list[str]]


def test_a_variable_wins_over_the_file(configured: Load) -> None:
    config = configured(
        GOOD,
        {
            "ZIMUN_SYNC_STATE": "sqlite:///elsewhere.db",
            "ZIMUN_SYNC_SOURCES__MAIN__PAGE_SIZE": "500",
            "ZIMUN_SYNC_SOURCES__MAIN__PATHS__STAFF": "/people",
            "ZIMUN_SYNC_LOG__LEVEL": "debug",
        },
    )

    source = config.sources["main"]
    assert config.state == "sqlite:///elsewhere.db"
    assert (source.page_size, source.client_id) == (500, "id")
    assert (source.paths.staff, source.paths.services) == ("/people", "/services")
    assert config.log.level == "debug"


def test_lists_and_sections_are_json(configured: Load) -> None:
    config = configured(
        GOOD,
        {
            "ZIMUN_SYNC_SOURCES__MAIN__STREAMS": '["staff", "services"]',
            "ZIMUN_SYNC_SOURCES__MAIN__FIELDS": '{"staff": {"phone": "mobile"}}',
            "ZIMUN_SYNC_SOURCES__SECOND": '{"client_id": "2", "client_secret": "s3cr3t-2"}',
            "ZIMUN_SYNC_SYNC": '{"sink_patience": 7}',
            "ZIMUN_SYNC_SINKS__FRONT_DESK__LISTS": '["b", "c"]',
        },
    )

    assert config.sources["main"].streams == ("staff", "services")
    assert config.sources["main"].fields == {"staff": {"phone": ("mobile",)}}
    assert config.sources["second"].client_id == "2"
    assert config.sync.sink_patience == 7
    assert config.sinks["front-desk"].settings.model_dump()["lists"] == ["b", "c"]


def test_text_that_looks_like_json_stays_text(configured: Load) -> None:
    config = configured(
        GOOD,
        {
            "ZIMUN_SYNC_SOURCES__MAIN__CLIENT_ID": "12345",
            "ZIMUN_SYNC_SINKS__FRONT_DESK__API_KEY": '{"type": "service_account"}',
            "ZIMUN_SYNC_SINKS__FRONT_DESK__LIMITS__BURST_KEY": "[1]",
        },
    )

    settings = config.sinks["front-desk"].settings.model_dump()
    assert config.sources["main"].client_id == "12345"
    assert settings["api_key"].get_secret_value() == '{"type": "service_account"}'
    assert settings["limits"]["burst_key"].get_secret_value() == "[1]"


def test_a_source_can_come_from_the_environment_alone(configured: Load) -> None:
    config = configured(
        "sinks:\n",
        {
            "ZIMUN_SYNC_SOURCES__MAIN__CLIENT_ID": "id",
            "ZIMUN_SYNC_SOURCES__MAIN__CLIENT_SECRET": "pa$$${word}",
        },
    )

    assert config.sources["main"].client_secret.get_secret_value() == "pa$$${word}"


def test_names_with_dashes_are_spelt_with_underscores(configured: Load) -> None:
    config = configured(GOOD, {"zimun_sync_sinks__front_desk__limits__per_second": "2"})

    assert list(config.sinks) == ["front-desk"]
    assert config.sinks["front-desk"].settings.model_dump()["limits"]["per_second"] == 2.0


def test_an_exact_name_comes_before_one_with_dashes(configured: Load) -> None:
    config = configured(
        GOOD + "  front_desk: {type: test-crm, api_key: other}\n",
        {"ZIMUN_SYNC_SINKS__FRONT_DESK__URL": "https://here"},
    )

    urls = {name: sink.settings.model_dump()["url"] for name, sink in config.sinks.items()}
    assert urls == {"front-desk": "https://crm.example", "front_desk": "https://here"}


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (
            "ZIMUN_SYNC_SOURCES__MAIN__PAGE_SIZE",
            "many",
            "sources.main.page_size: should be a whole number (it is 'many')",
        ),
        (
            "ZIMUN_SYNC_SOURCES__MAIN__PAGE_SZE",
            "5",
            "sources.main.page_sze: unknown setting (did you mean page_size?)",
        ),
        (
            "ZIMUN_SYNC_SOURCES__MAIN__SCOPES",
            "org:read",
            "sources.main.scopes: should be a list, such as [a, b] (it is 'org:read')",
        ),
        (
            "ZIMUN_SYNC_SOURCES__MAIN__FIELDS",
            '{"staff": {"fone": "x"}}',
            "sources.main.fields.staff.fone: no such column (did you mean phone?)",
        ),
        (
            "ZIMUN_SYNC_LOG",
            '{"level": "loud"}',
            "log.level: should be 'debug', 'info', 'warning' or 'error' (it is 'loud')",
        ),
        ("ZIMUN_SYNC_STAT", "x", "unknown setting (did you mean ZIMUN_SYNC_STATE?)"),
        ("ZIMUN_SYNC_SINK__FILES__PATH", "x", "unknown setting (did you mean ZIMUN_SYNC_SINKS?)"),
    ],
)
def test_a_wrong_variable_is_named(
    problems: Problems, variable: str, value: str, expected: str
) -> None:
    assert problems(GOOD, {variable: value}) == [f"environment variable {variable}: {expected}"]


def test_a_section_given_as_json_leaves_the_files_errors_to_the_file(problems: Problems) -> None:
    assert problems(GOOD + "log: {level: loud}\n", {"ZIMUN_SYNC_LOG": '{"format": "json"}'}) == [
        (
            "zimun-sync.yaml:5: log.level: should be 'debug', 'info', 'warning' or 'error' "
            "(it is 'loud')"
        )
    ]


def test_variables_of_a_kubernetes_service_are_no_settings(configured: Load) -> None:
    configured(
        GOOD,
        {
            "ZIMUN_SYNC_SERVICE_HOST": "10.0.0.7",
            "ZIMUN_SYNC_SERVICE_PORT": "8090",
            "ZIMUN_SYNC_SERVICE_PORT_HTTP": "8090",
            "ZIMUN_SYNC_PORT": "tcp://10.0.0.7:8090",
            "ZIMUN_SYNC_PORT_8090_TCP": "tcp://10.0.0.7:8090",
            "ZIMUN_SYNC_PORT_8090_TCP_ADDR": "10.0.0.7",
        },
    )


def test_the_process_environment_is_the_default(
    configured: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zimun_sync.config import load

    file = configured(GOOD).file
    monkeypatch.setenv("ZIMUN_SYNC_STATE", "sqlite:///from-the-process.db")

    assert load(file).state == "sqlite:///from-the-process.db"
