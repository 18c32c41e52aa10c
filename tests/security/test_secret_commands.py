"""A secret that a command prints: no shell, no waiting, and nothing of it in any message."""

import json
import os
import select
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from zimun_sync.config import Config, load, schema, secrets_of
from zimun_sync.config.secret_commands import run_for_secret
from zimun_sync.config.showing import show
from zimun_sync.errors import ConfigError


def configuration(folder: Path, command: object, **more: object) -> Path:
    source = {"client_id": "id", "client_secret_command": command, **more}
    file = folder / "zimun-sync.yaml"
    file.write_text(yaml.safe_dump({"sources": {"main": source}}))
    file.chmod(0o600)
    return file


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def secret_of(config: Config) -> str:
    return config.sources["main"].client_secret.get_secret_value()


def test_what_a_command_prints_is_the_value(tmp_path: Path) -> None:
    script = "print(open('vault').read() + ' and $HOME; *')"
    (tmp_path / "vault").write_text("s3cret")
    file = configuration(tmp_path, python(script))
    config = load(file, {})
    assert secret_of(config) == "s3cret and $HOME; *"
    assert "s3cret" not in show(config)
    assert secrets_of(config) == ["s3cret and $HOME; *"]
    assert config.warnings == (f"{file}: there are no sinks, so records go nowhere.",)
    (tmp_path / "vault").write_text("another")
    assert secret_of(load(file, {})).startswith("another")


def test_no_shell_reads_it(tmp_path: Path) -> None:
    script = "import sys; print(*sys.argv[1:], sep='|')"
    words = [*python(script), "$(touch made)", "; touch made", "`touch made`", "*"]
    assert run_for_secret(words, tmp_path) == "|".join(words[3:])
    assert list(tmp_path.iterdir()) == []


def test_a_variable_of_the_environment_gives_it(tmp_path: Path) -> None:
    file = configuration(tmp_path, python("print('of the file')"))
    variable = "ZIMUN_SYNC_SOURCES__MAIN__CLIENT_SECRET"
    command = {f"{variable}_COMMAND": json.dumps(python("print('of the environment')"))}
    assert secret_of(load(file, command)) == "of the environment"
    assert secret_of(load(file, {variable: "itself"})) == "itself"
    vault = tmp_path / "vault"
    vault.write_text("of a file")
    assert secret_of(load(file, {f"{variable}_FILE": str(vault)})) == "of a file"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import sys; print('s3cret'); print('s3cret', file=sys.stderr); sys.exit(7)", "code 7"),
        ("pass", "printed nothing"),
        ("print()", "printed nothing"),
        ("import sys; sys.stdout.buffer.write(b's3cret\\xff')", "not UTF-8"),
        ("print('s3cret' * 300_000)", "more than 1 MiB"),
    ],
)
def test_a_command_that_fails_is_told_without_its_words(
    tmp_path: Path, script: str, told: str
) -> None:
    file = configuration(tmp_path, [*python(script), "s3cret-argument"])
    with pytest.raises(ConfigError, match=told) as caught:
        load(file, {})
    said = f"{caught.value}{caught.value.hint}"
    assert "s3cret" not in said
    assert f"{file}:4: sources.main.client_secret_command" in said
    assert sys.executable in said


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("pass show x", "should be a list"),
        ([], "should be a list"),
        (["pass", 1], "list of texts"),
        (["pass", "a\0b"], "list of texts"),
        ([""], "name of a program"),
        (["/nowhere/at-all"], "No such file"),
    ],
)
def test_what_is_no_command_is_told(tmp_path: Path, command: object, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(configuration(tmp_path, command), {})


def test_one_that_waits_for_a_person_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"within 0\.2 seconds; it has to work without asking"):
        run_for_secret(python("import time; time.sleep(60)"), tmp_path, seconds=0.2)
    with pytest.raises(ConfigError, match="exit code 1"):
        run_for_secret(python("input('Passphrase: ')"), tmp_path)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: Path, fifo: Path) -> None:
    """An agent inherits the output and keeps it open; it stays until the pipe is opened."""
    command = ["sh", "-c", f"cat {fifo} & echo s3cret"]
    assert run_for_secret(command, tmp_path, seconds=20) == "s3cret"
    os.close(os.open(fifo, os.O_WRONLY))  # returns only when the agent reads, so it lives


def test_a_command_that_is_ended_takes_along_what_it_started(tmp_path: Path, fifo: Path) -> None:
    script = f"(echo started; exec sleep 60) > {fifo} & wait"
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(reader, "rb", buffering=0) as started:
        with pytest.raises(ConfigError, match="was not done"):
            run_for_secret(["sh", "-c", script], tmp_path, seconds=1)
        assert started.readline() == b"started\n"
        assert select.select([started], [], [], 20)[0]  # its end: nobody holds the pipe any more
        assert started.read(1) == b""


def test_a_command_that_prints_for_ever_is_ended(tmp_path: Path) -> None:
    """Before its time is over: no more is read than is needed to tell that it is no secret."""
    with pytest.raises(ConfigError, match="more than 1 MiB"):
        run_for_secret(["yes"], tmp_path, seconds=60)


def test_two_ways_at_once_are_refused(tmp_path: Path) -> None:
    file = configuration(tmp_path, python("print('a')"), client_secret="b")
    with pytest.raises(ConfigError, match="client_secret is given too"):
        load(file, {})


def test_the_schema_knows_it(tmp_path: Path) -> None:
    given = yaml.safe_load(configuration(tmp_path, ["pass", "show", "x"]).read_text())
    jsonschema.validate(given, schema())
    del given["sources"]["main"]["client_secret_command"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given, schema())
