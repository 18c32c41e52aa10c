"""The `privacy` settings: what they hide, keys, and what is wrong with them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from zimun_sync.config import Config, schema, secrets_of, show
from zimun_sync.model import APPOINTMENTS
from zimun_sync.privacy import Policy

Load = Callable[..., Config]
Problems = Callable[..., list[str]]
KEYS = {"1": "0123456789abcdef", "2": "fedcba9876543210"}


def text(sink: Any, keys: Any = KEYS, of: Mapping[str, Any] | None = None, **top: Any) -> str:
    """A configuration with one sink, by default of CSV files, that has this `privacy`."""
    source = {"client_id": "id", "client_secret": "s3cr3t-value"}
    files = {"type": "csv", "path": "x"} if of is None else dict(of)
    return yaml.safe_dump(
        {
            "sources": {"main": source | {"promote": {"appointments": {"size": "integer"}}}},
            "sinks": {"files": files | {"privacy": sink}},
            "privacy": {"keys": keys, **top},
        },
        sort_keys=False,
    )


def hidden(config: Config, stream: str = "appointments") -> dict[str, Policy]:
    return config.guards["files"].hidden.get(stream, {})


CRM = {"type": "caldav", "start_from": "now", "url": "https://dav.example.com/", "token": "t"}
HUBSPOT = {"type": "hubspot", "start_from": "now", "token": "t"}


def test_the_rest_of_the_personal_columns(configured: Load) -> None:
    config = configured(text({"personal": "drop", "columns": {"appointments": {"notes": "allow"}}}))
    dropped = {"contact_name", "contact_email", "contact_phone", "size", "extra"}
    assert hidden(config) == dict.fromkeys(dropped, Policy.DROP)
    assert hidden(config, "appointment_versions") == hidden(config)
    assert hidden(config, "services") == {"extra": Policy.DROP}


@pytest.mark.parametrize("nothing", [None, {}, {"personal": "allow"}])
def test_nothing_is_hidden_unless_it_is_said(configured: Load, nothing: Any) -> None:
    assert configured(text(nothing)).guards["files"].hidden == {}


def test_an_environment_variable_gives_it(configured: Load) -> None:
    given = {
        "ZIMUN_SYNC_SINKS__FILES__PRIVACY__PERSONAL": "mask",
        "ZIMUN_SYNC_SINKS__FILES__PRIVACY__COLUMNS": '{"staff": {"name": "drop"}}',
        "ZIMUN_SYNC_PRIVACY__KEYS__3": "a key of its own in the environment",
    }
    config = configured(text({}), given)
    assert hidden(config, "staff")["name"] is Policy.DROP
    assert hidden(config, "staff")["email"] is Policy.MASK
    assert config.privacy.key
    assert config.privacy.key.version == "3"
    whole = configured(text({}), {"ZIMUN_SYNC_SINKS__FILES__PRIVACY": '{"personal": "drop"}'})
    assert hidden(whole, "staff")["email"] is Policy.DROP


# -- keys ------------------------------------------------------------------------------------


def test_the_greatest_key_hashes_unless_one_is_named(configured: Load) -> None:
    ten = KEYS | {"10": "0123456789abcdef"}
    for named, version in ((None, "10"), ("2", "2")):
        key = configured(text({"personal": "hash"}, ten, hash_key=named)).privacy.key
        assert key
        assert key.version == version


def test_a_key_from_a_file_and_one_from_a_variable(configured: Load, tmp_path: Any) -> None:
    (tmp_path / "key").write_text("of-a-file-0123456789\n")
    keys = {"1": {"secret_file": "key"}, "2": "${HASH_KEY}"}
    config = configured(text({}, keys, hash_key="1"), {"HASH_KEY": "of-a-variable-0123"})
    assert config.privacy.key
    assert config.privacy.key.secret == b"of-a-file-0123456789"
    assert config.secret_files == (tmp_path / "key",)
    assert config.warnings == ()


def test_keys_are_shown_nowhere(configured: Load) -> None:
    config = configured(text({"personal": "hash"}, KEYS | {"3": {"secret": "x" * 20}}))
    told = show(config) + repr(config) + config.guards["files"].fingerprint
    for secret in (*KEYS.values(), "x" * 20):
        assert secret in secrets_of(config)
        assert secret not in told


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"1": "short"}, "privacy.keys: key 1 is shorter than 16 bytes; make one with `openssl"),
        ({"new": "0123456789abcdef"}, "privacy.keys: should number its keys 1, 2, …; 'new' is no"),
        ({"0": "0123456789abcdef"}, "privacy.keys: should number its keys"),
        ({"1": {}}, "privacy.keys.1.secret: is required"),
    ],
)
def test_a_wrong_key(problems: Problems, keys: Any, said: str) -> None:
    [line] = problems(text({}, keys))
    assert said in line
    assert "0123456789" not in line


def test_a_key_that_is_not_there(problems: Problems) -> None:
    [line] = problems(text({}, hash_key="3"))
    assert "privacy: hash_key 3 is not among the keys (there are 1, 2)" in line


def test_to_hash_takes_a_key(problems: Problems) -> None:
    for sink in ({"personal": "hash"}, {"columns": {"staff": {"name": "hash"}}}):
        [line] = problems(text(sink, {}))
        assert "sinks.files.privacy: to hash takes a key: make one with `openssl rand" in line
        assert "privacy.keys" in line


# -- what is wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "place", "said"),
    [
        ({"apointments": {}}, "apointments", "no such stream (did you mean appointments?)"),
        ({"visits": {}}, "visits", "no such stream (there are appointments, availability,"),
        ({"appointment_versions": {}}, "appointment_versions", "follow those of appointments"),
        (
            {"appointments": {"contact_emial": "drop"}},
            "appointments.contact_emial",
            "no such column (did you mean contact_email?)",
        ),
        ({"staff": {"qq": "drop"}}, "staff.qq", "no such column (there are active, created_at,"),
        (
            {"appointments": {"appointment_id": "hash"}},
            "appointments.appointment_id",
            "records are known by it, so every sink gets it as it is",
        ),
        ({"staff": {"_source": "drop"}}, "staff._source", "records are known by it"),
        (
            {"appointments": {"price_amount": "mask"}},
            "appointments.price_amount",
            "mask takes text or JSON, and this column is of type decimal; use drop",
        ),
        (
            {"appointments": {"size": "hash"}},
            "appointments.size",
            "hash takes text or JSON, and this column is of type integer; use drop",
        ),
        (
            {"appointments": {"notes": "hide"}},
            "appointments.notes",
            "should be 'allow', 'drop', 'mask' or 'hash' (it is 'hide')",
        ),
    ],
)
def test_what_is_wrong_with_a_column(
    problems: Problems, columns: Any, place: str, said: str
) -> None:
    [line] = problems(text({"columns": columns}))
    assert f": sinks.files.privacy.columns.{place}: " in line
    assert said in line


@pytest.mark.parametrize(
    ("sink", "said"),
    [
        ("drop", "sinks.files.privacy: should be a section of `name: value` lines (it is 'drop')"),
        ({"personnal": "drop"}, "privacy.personnal: unknown setting (did you mean personal?)"),
        ({"personal": "remove"}, "privacy.personal: should be 'allow', 'drop', 'mask' or 'hash'"),
    ],
)
def test_what_is_wrong_with_the_section(problems: Problems, sink: Any, said: str) -> None:
    [line] = problems(text(sink))
    assert said in line


# -- remote systems --------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["mask", "hash"])
def test_a_remote_system_cannot_know_people_by_what_is_masked(
    problems: Problems, policy: str
) -> None:
    [line] = problems(text({"personal": policy}, of=HUBSPOT))
    assert "sinks.files.privacy: it knows people by contact_email and contact_phone" in line
    assert "columns: {appointments: {contact_email: allow, contact_phone: allow}}" in line


def test_what_a_remote_system_knows_people_by_may_be_dropped(configured: Load) -> None:
    by_email = {"appointments": {"contact_email": "allow", "contact_phone": "drop"}}
    assert configured(text({"columns": by_email, "personal": "mask"}, of=HUBSPOT)).warnings == ()
    [warning] = configured(text({"personal": "drop"}, of=HUBSPOT)).warnings
    assert "sinks.files.privacy: the columns are dropped by which it knows people" in warning


def test_a_calendar_knows_nobody(configured: Load) -> None:
    config = configured(text({"personal": "hash"}, of=CRM))
    assert (config.warnings, hidden(config)["contact_email"]) == ((), Policy.HASH)


# -- as shown, and for editors ---------------------------------------------------------------


def test_it_is_shown_as_a_file_would_have_it(configured: Load) -> None:
    given = {"personal": "drop", "columns": {"staff": {"name": "allow"}}}
    shown = yaml.safe_load(show(configured(text(given))))
    assert shown["sinks"]["files"]["privacy"] == given
    assert shown["privacy"]["keys"].keys() == KEYS.keys()


def test_the_schema_knows_it() -> None:
    found = schema(["csv"])
    assert found["$defs"]["csv"]["properties"]["privacy"] == {"$ref": "#/$defs/SinkPrivacy"}
    assert "personal" in found["$defs"]["SinkPrivacy"]["properties"]
    assert "keys" in found["$defs"]["PrivacySettings"]["properties"]


def test_another_key_is_another_guard(configured: Load) -> None:
    prints = {
        configured(text({"personal": "hash"}, {"1": key})).guards["files"].fingerprint
        for key in KEYS.values()
    }
    assert len(prints) == 2
    assert configured(text({"personal": "hash"})).guards["files"].covers(APPOINTMENTS)
