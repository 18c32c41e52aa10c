"""Secrets come from variables and files, and are never shown."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.config import Config, load, show
from zimun_sync.config.variables import escape, expand
from zimun_sync.errors import ConfigError

SOURCE = "sources:\n  main: {{client_id: id, {}}}\n"
SECRET = "hunter2-and-more"

Load = Callable[..., Config]
Problems = Callable[..., list[str]]


def secret_of(config: Config) -> str:
    return config.sources["main"].client_secret.get_secret_value()


# -- ${VAR} ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "environ", "value"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("a-${A}-${B}", {"A": "x", "B": "y"}, "a-x-y"),
        ("${A:-d}", {}, "d"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A:-d}", {"A": "x"}, "x"),
        ("${A:-}", {}, ""),
        ("${A}", {"A": "${B}$$"}, "${B}$$"),
        ("$$", {}, "$"),
        ("$${A}", {"A": "x"}, "${A}"),
        ("$A and $", {"A": "x"}, "$A and $"),
    ],
)
def test_references(written: str, environ: dict[str, str], value: str) -> None:
    expanded = expand(written, environ)

    assert (expanded.text, expanded.problems) == (value, ())


@given(text=st.text())
def test_escaped_text_means_itself(text: str) -> None:
    assert expand(escape(text), {}).text == text


def test_a_reference_can_be_a_number_or_a_list(configured: Load) -> None:
    config = configured(
        SOURCE.format("client_secret: $$x, page_size: '${SIZE}', streams: '${STREAMS}'"),
        {"SIZE": "7", "STREAMS": '["staff"]'},
    )

    assert (config.sources["main"].page_size, config.sources["main"].streams) == (7, ("staff",))
    assert secret_of(config) == "$x"


def test_a_missing_variable_is_named_with_file_line_and_setting(problems: Problems) -> None:
    assert problems(SOURCE.format('client_secret: "${NOPE}"')) == [
        (
            "zimun-sync.yaml:2: sources.main.client_secret: the environment variable NOPE is not "
            "set; set it, or give a default: ${NOPE:-…}"
        )
    ]


def test_a_reference_inside_a_list_is_placed(problems: Problems) -> None:
    (line,) = problems(SOURCE.format('client_secret: s3cr3t, scopes: [a, "${NOPE}"]'))

    assert line.startswith("zimun-sync.yaml:2: sources.main.scopes[1]: the environment variable")


@pytest.mark.parametrize("written", ["${", "${}", "${A", "${A-b}", "${1}", "${A:-b"])
def test_a_broken_reference_is_told(problems: Problems, written: str) -> None:
    (line,) = problems(SOURCE.format(f"client_secret: '{written}'"), {"A": "x"})

    assert "a '${' that no '}' with a variable's name closes; write '$$' for a '$'" in line


def test_a_reference_that_the_environment_replaces_need_not_resolve(configured: Load) -> None:
    config = configured(
        SOURCE.format('client_secret: "${NOPE}"'),
        {"ZIMUN_SYNC_SOURCES__MAIN__CLIENT_SECRET": SECRET},
    )

    assert secret_of(config) == SECRET


# -- X_file ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("abc", "abc"),
        ("abc\n", "abc"),
        ("abc\r\n", "abc"),
        (" abc \n\n", " abc \n"),
        ("${A}", "${A}"),
    ],
)
def test_a_secret_file_without_its_final_line_end(
    configured: Load, tmp_path: Path, content: str, secret: str
) -> None:
    (tmp_path / "secret").write_bytes(content.encode())

    assert secret_of(configured(SOURCE.format("client_secret_file: secret"))) == secret


def test_files_work_for_any_setting_even_the_state(configured: Load, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://me:pw@db/zimun\n")
    (tmp_path / "size").write_text("7\n")

    config = configured(
        "state_file: url\n" + SOURCE.format("client_secret: s3cr3t-value, page_size_file: size")
    )

    assert config.state == "postgresql://me:pw@db/zimun"
    assert config.sources["main"].page_size == 7


def test_files_work_inside_a_connectors_section(
    configured: Load, tmp_path: Path, crm: None
) -> None:
    (tmp_path / "key").write_text(SECRET)

    config = configured(
        SOURCE.format("client_secret: s3cr3t-value")
        + "sinks:\n  desk: {type: test-crm, api_key_file: key, limits: {burst_key_file: key}}\n"
    )

    settings = config.sinks["desk"].settings.model_dump()
    assert settings["api_key"].get_secret_value() == SECRET
    assert settings["limits"]["burst_key"].get_secret_value() == SECRET


def test_a_file_from_the_environment_replaces_the_files_own_secret(
    configured: Load, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(SECRET)

    config = configured(
        SOURCE.format('client_secret: "${NOPE}"'),
        {"ZIMUN_SYNC_SOURCES__MAIN__CLIENT_SECRET_FILE": str(tmp_path / "key")},
    )

    assert secret_of(config) == SECRET


def test_a_secret_from_the_environment_replaces_the_files_secret_file(configured: Load) -> None:
    config = configured(
        SOURCE.format("client_secret_file: /nowhere"),
        {"ZIMUN_SYNC_SOURCES__MAIN__CLIENT_SECRET": SECRET},
    )

    assert secret_of(config) == SECRET


def test_both_ways_at_once_is_an_error(problems: Problems, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)

    assert problems(SOURCE.format("client_secret: x, client_secret_file: key")) == [
        (
            "zimun-sync.yaml:2: sources.main.client_secret_file: client_secret is given too; keep "
            "one of the two"
        )
    ]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "missing",
            (
                "{}/missing cannot be read (No such file or directory); name a file that this user "
                "may read"
            ),
        ),
        (".", "{} cannot be read (Is a directory); name a file that this user may read"),
        ("empty", "{}/empty is empty; write the value into it"),
        ("binary", "{}/binary is not UTF-8 text"),
        ("huge", "{}/huge is larger than 1 MiB, so it holds no secret"),
        ("[key]", "should be the path of a file"),
        ("''", "should be the path of a file"),
        ('"nul\\0"', "should be the path of a file"),
    ],
)
def test_a_secret_file_that_cannot_be_used(
    problems: Problems, tmp_path: Path, file: str, expected: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "huge").write_bytes(b"x" * (1024 * 1024 + 1))

    (line,) = problems(SOURCE.format(f"client_secret_file: {file}"))

    assert line.startswith("zimun-sync.yaml:2: sources.main.client_secret_file: ")
    assert line.endswith(expected.format(tmp_path))


# -- nothing is shown -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        f"client_secret: [{SECRET}]",
        f"client_secret: {{a: {SECRET}}}",
        f"client_secret: s3cr3t-value, client_secrt: {SECRET}",
        f"client_secret: s3cr3t-value, base_url: 'https://me:{SECRET}@host/api'",
        f"client_secret: s3cr3t-value, base_url: 'https://host/api?key={SECRET}'",
        "client_secret: s3cr3t-value, page_size: '${SECRET}'",
        "client_secret: s3cr3t-value, page_size_file: secret",
        f"client_secret: s3cr3t-value, page_size: &{SECRET} x",
        f"client_secret: *{SECRET}",
    ],
)
def test_no_error_shows_a_secret(problems: Problems, tmp_path: Path, wrong: str) -> None:
    (tmp_path / "secret").write_text(SECRET)

    told = "\n".join(problems(SOURCE.format(wrong), {"SECRET": SECRET}))

    assert told
    assert SECRET not in told


def test_a_secret_that_a_connectors_validator_quotes_is_masked(
    problems: Problems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crm: None
) -> None:
    module = tmp_path / "site" / "zimun_test_crm_without_library.py"
    module.write_text(
        "from pydantic import BaseModel, SecretStr, field_validator\n"
        "from zimun_sync.sinks import Connector\n"
        "class Settings(BaseModel):\n"
        "    token: SecretStr\n"
        "    @field_validator('token')\n"
        "    @classmethod\n"
        "    def check(cls, token):\n"
        "        raise ValueError(f'{token.get_secret_value()} has no permission')\n"
        "connector = Connector('test-broken', 'x', Settings, lambda settings, folder: None)\n"
    )

    told = problems(
        SOURCE.format("client_secret: s3cr3t-value")
        + f"sinks:\n  a: {{type: test-broken, token: {SECRET}}}\n"
    )

    assert told == ["zimun-sync.yaml:4: sinks.a.token: *** has no permission"]


def test_the_value_of_a_reference_is_shown_as_the_reference(problems: Problems) -> None:
    assert problems(
        SOURCE.format("client_secret: s3cr3t-value, page_size: '${SIZE}'"), {"SIZE": "many"}
    ) == ["zimun-sync.yaml:2: sources.main.page_size: should be a whole number (it is ${SIZE})"]


def test_the_environments_own_secret_is_not_shown(problems: Problems) -> None:
    told = problems(
        SOURCE.format("page_size: 0"), {"ZIMUN_SYNC_SOURCES__MAIN__CLIENT_SECRET": SECRET}
    )

    assert told == ["zimun-sync.yaml:2: sources.main.page_size: should be greater than 0 (it is 0)"]


_WRONG = st.sampled_from(
    ["page_size: x", "pge_size: 1", "paths: 3", "streams: [x]", "base_url: x", "scopes: 5"]
)


@given(
    secret=st.text("abcdefXYZ0123456789-_", min_size=20, max_size=40),
    wrong=st.lists(_WRONG, min_size=1, unique=True),
)
def test_no_secret_leaks_beside_any_other_mistake(
    tmp_path_factory: pytest.TempPathFactory, secret: str, wrong: list[str]
) -> None:
    file = tmp_path_factory.getbasetemp() / "leak.yaml"
    file.write_text(SOURCE.format(", ".join([f"client_secret: '{secret}'", *wrong])))

    with pytest.raises(ConfigError) as caught:
        load(file, {})

    assert secret not in caught.value.message + caught.value.hint


def test_show_masks_secrets_and_passwords(configured: Load, crm: None) -> None:
    shown = show(
        configured(
            f"state: postgresql://me:{SECRET}@db/zimun\n"
            + SOURCE.format(f"client_secret: {SECRET}")
            + f"sinks:\n  a: {{type: test-crm, api_key: {SECRET}, url: 'https://u:{SECRET}@crm',"
            + f" spare_keys: [{SECRET}], limits: {{burst_key: {SECRET}}}}}\n"
        )
    )

    assert SECRET not in shown
    assert "postgresql://***@db/zimun" in shown
    assert "https://***@crm" in shown


# -- secrets that everyone can read ---------------------------------------------------------


def _warnings(write: Callable[[str], Path], text: str, mode: int) -> tuple[str, ...]:
    file = write(text + "sinks:\n  a: {type: test-crm, api_key: '${KEY}'}\n")
    file.chmod(mode)
    return load(file, {"KEY": "x", "URL": "postgresql://me:pw@db/zimun"}).warnings


def test_a_literal_secret_in_a_file_that_everyone_can_read(
    write: Callable[[str], Path], crm: None
) -> None:
    assert _warnings(write, SOURCE.format(f"client_secret: {SECRET}"), 0o644) == (
        (
            "zimun-sync.yaml:2: sources.main.client_secret: this secret can be read by everyone on "
            "this machine; `chmod o-r zimun-sync.yaml`, or use client_secret_file or ${VAR}."
        ),
    )


def test_a_password_in_the_states_address_counts_as_a_secret(
    write: Callable[[str], Path], crm: None
) -> None:
    source = SOURCE.format("client_secret: '${KEY}'")

    (warning,) = _warnings(write, f"state: postgresql://me:pw@db/zimun\n{source}", 0o644)
    assert warning.startswith("zimun-sync.yaml:1: state: this secret can be read by everyone")
    assert _warnings(write, f"state: postgresql://me@db/zimun\n{source}", 0o644) == ()
    assert _warnings(write, f"state: '${{URL}}'\n{source}", 0o644) == ()


@pytest.mark.parametrize(
    ("secret", "mode"), [(SECRET, 0o640), ("'${KEY}'", 0o644), ("'${KEY:-x}'", 0o644)]
)
def test_no_warning_where_nothing_is_exposed(
    write: Callable[[str], Path], crm: None, secret: str, mode: int
) -> None:
    assert _warnings(write, SOURCE.format(f"client_secret: {secret}"), mode) == ()
