"""Whatever the source sends and whatever a configuration says: an answer, never a traceback."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.thorough import times
from zimun_sync.config import Config, load, schema
from zimun_sync.errors import ConfigError, RecordInvalid
from zimun_sync.model import STREAMS
from zimun_sync.normalize import Normalizer, Place, Places, Rules, normalize_items

PLACES = Places(Place("Europe/Berlin", "DE"), {})
NORMALIZERS = {name: Normalizer(stream, Rules({}, {}), PLACES) for name, stream in STREAMS.items()}
STREAM = st.sampled_from(sorted(STREAMS))
FIELDS = st.sampled_from(
    ["id", "appointment_id", "appointment_time", "appointment_duration", "price", "status"]
)
TEXT = st.text(max_size=20)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS | TEXT, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def broken_json(draw: st.DrawFn) -> bytes:
    """JSON with bytes put in, taken out or turned."""
    raw = bytearray(json.dumps(draw(JSON)).encode())
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(raw)))
        raw[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(raw)


@settings(max_examples=times(150, 5000))
@given(stream=STREAM, raw=broken_json())
def test_the_normalizer_takes_or_refuses_whatever_comes(stream: str, raw: bytes) -> None:
    with suppress(RecordInvalid):
        NORMALIZERS[stream].normalize(raw)
    items = normalize_items([raw, raw], NORMALIZERS[stream])
    assert len(items.records) + len(items.refused) == 2
    assert all(each.code and each.message for each in items.refused)


def test_the_normalizer_s_work_is_bounded() -> None:
    """Neither depth nor width nor length breaks it, or keeps it for minutes."""
    normalizer = NORMALIZERS["appointments"]
    deep = b'{"appointment_id": "a", "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    wide = json.dumps({f"field_{number}": number for number in range(50_000)}).encode()
    long = json.dumps({"appointment_id": "a", "appointment_time": "9" * 1_000_000}).encode()
    digits = b'{"appointment_id": "a", "appointment_duration": ' + b"9" * 1_000_000 + b"}"
    items = normalize_items([deep, wide, long, digits], normalizer)
    assert [item.code for item in items.refused]
    assert len(items.records) + len(items.refused) == 4


# -- configurations -----------------------------------------------------------------------------

SECTIONS = st.sampled_from(
    ["sources", "sinks", "hooks", "server", "schedule", "log", "state", "main", "type", "url"]
)
NAMES = st.sampled_from(
    sorted(name for each in schema()["$defs"].values() for name in each.get("properties", {}))
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAF | st.sampled_from(["duckdb", "postgres", "http", "${HOME}", "${", "$$", "*", "!!python"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(SECTIONS | NAMES | TEXT, inner, max_size=4)
    ),
    max_leaves=15,
)
LIKELY = st.fixed_dictionaries(
    {"sources": st.dictionaries(SECTIONS, st.dictionaries(NAMES, VALUES, max_size=4), max_size=2)},
    optional={
        "sinks": st.dictionaries(SECTIONS, st.dictionaries(NAMES, VALUES), max_size=2),
        "hooks": st.dictionaries(SECTIONS, st.dictionaries(NAMES, VALUES), max_size=2),
        "server": st.dictionaries(NAMES, VALUES, max_size=2),
        "state": VALUES,
    },
)


def loaded(file: Path, content: bytes) -> Config | ConfigError:
    """The configuration, or what a person is told; anything else is raised."""
    file.write_bytes(content)
    file.chmod(0o600)
    try:
        return load(file, {"HOME": "/home/ada"})
    except ConfigError as error:
        return error


@settings(max_examples=times(120, 4000))
@given(values=VALUES | LIKELY)
def test_any_yaml_is_a_configuration_or_an_error_with_words(
    values: Any, tmp_path_factory: Any
) -> None:
    file = _FOLDER.get(tmp_path_factory)
    found = loaded(
        file, yaml.safe_dump(values, allow_unicode=True).encode("utf-8", "surrogatepass")
    )
    assert isinstance(found, Config) or found.message


@settings(max_examples=times(120, 4000))
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_file_is_a_configuration_or_an_error_with_words(
    content: bytes, tmp_path_factory: Any
) -> None:
    assert isinstance(loaded(_FOLDER.get(tmp_path_factory), content), ConfigError)


class _Folder:
    """One file for all examples."""

    def __init__(self) -> None:
        self._file: Path | None = None

    def get(self, factory: Any) -> Path:
        if self._file is None:
            self._file = factory.mktemp("fuzz") / "zimun-sync.yaml"
        return self._file


_FOLDER = _Folder()
