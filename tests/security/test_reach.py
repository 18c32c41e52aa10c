"""Requests do not go where a configured host must not lead, whatever its name says."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from tests.remotes.loopback import Loopback, Reply
from zimun_sync.config.serving import HookSettings
from zimun_sync.daemon.hooks.calling import send
from zimun_sync.errors import SinkBroken
from zimun_sync.network.reach import AddressRefused, Reach
from zimun_sync.network.transport import DEADLINE, DeadlineTransport
from zimun_sync.remotes.auth import ClientCredentials, NoAuth, TokenEndpoint
from zimun_sync.remotes.calls import Caller, Request
from zimun_sync.remotes.limits import Limits, Pace
from zimun_sync.sinks import connector
from zimun_sync.templates import FIELDS

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "::a9fe:a9fe",
    "::ffff:0:a9fe:a9fe",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
]
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "::ffff:127.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "64:ff9b:1::101:101",
    "::127.0.0.1",
    "::10.0.0.1",
    "::ffff:0:7f00:1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "5f00::1",
    "3fff::1",
    "198.18.0.1",
    "240.0.0.1",
    "0.1.2.3",
]
PUBLIC = [
    "93.184.215.14",
    "1.1.1.1",
    "2606:4700::1111",
    "64:ff9b::101:101",
    "2002:101:101::",
    "::1.1.1.1",
]
SPELLINGS = ["127.1", "2130706433", "0x7f.0.0.1", "localhost", "LocalHost.", "[::1]"]

PLENTY = Pace(per_window=1000, window_seconds=1.0)
Names = dict[str, list[list[str]]]


@pytest.fixture
def server() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """A name server's answers, the last for ever; IP addresses resolve to themselves."""
    answers: Names = {}
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        line = answers.get(host)
        if line is None:
            return real(host, port, *rest, **more)
        found = line.pop(0) if len(line) > 1 else line[0]
        return [entry for address in found for entry in real(address, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return answers


def ask(url: str, reach: Reach) -> int:
    with httpx.Client(transport=DeadlineTransport(url, reach), trust_env=False) as client:
        request = httpx.Request("GET", url, extensions={DEADLINE: 5.0})
        return client.send(request).status_code


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("reach", Reach)
def test_some_addresses_are_never_called(address: str, reach: Reach) -> None:
    with pytest.raises(AddressRefused, match="never called") as caught:
        reach.check("host.example", address)
    assert not caught.value.curable


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_called_where_that_is_configured(address: str) -> None:
    Reach.PRIVATE.check("host.example", address)
    with pytest.raises(AddressRefused, match=r"host\.example leads to .*") as caught:
        Reach.PUBLIC.check("host.example", address)
    assert caught.value.curable


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_is_called(address: str) -> None:
    Reach.PUBLIC.check("host.example", address)


@pytest.mark.parametrize("host", [*SPELLINGS, "127.0.0.1"])
def test_no_spelling_of_this_machine_gets_through(host: str, server: Loopback) -> None:
    port = server.address.rpartition(":")[2]
    with pytest.raises(AddressRefused):
        ask(f"http://{host}:{port}/", Reach.PUBLIC)
    assert not server.seen


@pytest.mark.parametrize("host", SPELLINGS)
def test_a_proxy_is_not_asked_for_what_is_inside(
    host: str, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(AddressRefused):
        ask(f"http://{host}/", Reach.PUBLIC)
    assert not server.seen
    assert ask("http://elsewhere.example/", Reach.PUBLIC) == 200
    assert server.seen[0].path == "http://elsewhere.example/"


def test_a_name_that_leads_inside_is_not_called(names: Names, server: Loopback) -> None:
    names["crm.example"] = [["127.0.0.1"]]
    url = f"http://crm.example:{server.address.rpartition(':')[2]}/"
    with pytest.raises(AddressRefused, match=r"crm\.example leads to 127\.0\.0\.1"):
        ask(url, Reach.PUBLIC)
    assert not server.seen
    assert ask(url, Reach.PRIVATE) == 200
    assert server.seen[0].headers["host"] == url[7:-1]


def test_one_address_inside_is_enough(names: Names, server: Loopback) -> None:
    names["crm.example"] = [["1.1.1.1", "127.0.0.1"]]
    with pytest.raises(AddressRefused):
        ask(f"http://crm.example:{server.address.rpartition(':')[2]}/", Reach.PUBLIC)
    assert not server.seen


def test_a_machine_of_the_local_network_is_called_where_that_is_configured(
    names: Names, server: Loopback
) -> None:
    """Its name leads to its link-local address too, which is left out."""
    names["odoo.local"] = [["fe80::21e:6ff:fe00:1", "127.0.0.1"]]
    names["router.local"] = [["fe80::21e:6ff:fe00:1", "169.254.1.1"]]
    port = int(server.address.rpartition(":")[2])
    assert ask(f"http://odoo.local:{port}/", Reach.PRIVATE) == 200
    assert Reach.PRIVATE.resolve("odoo.local", port) == ["127.0.0.1"]
    for host, reach in (("odoo.local", Reach.PUBLIC), ("router.local", Reach.PRIVATE)):
        with pytest.raises(AddressRefused, match=rf"{host} leads to fe80::21e:6ff:fe00:1"):
            ask(f"http://{host}:{port}/", reach)
    assert len(server.seen) == 1


def test_the_address_that_was_judged_is_the_one_connected_to(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere when it is asked for again changes nothing."""
    names["crm.example"] = [["1.1.1.1"], ["127.0.0.1"]]
    tried: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        tried.append(address)
        raise OSError("no way there from here")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(httpx.ConnectError, match="no way there"):
        ask("http://crm.example:8080/", Reach.PUBLIC)
    assert tried == [("1.1.1.1", 8080)]
    assert names["crm.example"] == [["127.0.0.1"]]


def test_the_next_address_is_tried_when_one_is_down(names: Names, server: Loopback) -> None:
    port = server.address.rpartition(":")[2]
    names["crm.example"] = [["127.0.0.2", "127.0.0.1"]]
    assert ask(f"http://crm.example:{port}/", Reach.PRIVATE) == 200


# -- who asks the guard ---------------------------------------------------------------------


def hook(url: str, **more: Any) -> HookSettings:
    return HookSettings.model_validate({"on": ["failed"], "url": url, **more})


def test_a_hook_stays_outside_unless_it_may_not(names: Names, server: Loopback) -> None:
    names["hooks.example"] = [["127.0.0.1"]]
    url = f"http://hooks.example:{server.address.rpartition(':')[2]}/s3cret"
    fields = dict.fromkeys(FIELDS, "")
    told = send(hook(url), fields, DeadlineTransport)
    assert told == (
        "Nothing was sent: hooks.example leads to 127.0.0.1, which is this machine itself; set the "
        "hook's allow_private: true if that is meant."
    )
    assert not server.seen
    assert send(hook(url, allow_private=True), fields, DeadlineTransport) == ""
    assert len(server.seen) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "localhost", "[::1]", "10.1.2.3"])
def test_a_hook_s_private_address_is_told_when_it_is_read(host: str) -> None:
    with pytest.raises(ValidationError, match="set allow_private: true"):
        hook(f"https://{host}/")
    assert hook(f"https://{host}/", allow_private=True).allow_private


@pytest.mark.parametrize("host", ["169.254.169.254", "0.0.0.0", "[fe80::1]"])
def test_a_hook_to_a_metadata_service_is_no_configuration(host: str) -> None:
    with pytest.raises(ValidationError, match="never called"):
        hook(f"http://{host}/latest/meta-data", allow_private=True)


def test_a_hook_s_fields_cannot_choose_a_host_inside(server: Loopback) -> None:
    """Fields in the place of the host are judged like any other host."""
    settings = hook("http://{source}/", allow_private=False)
    told = send(settings, dict.fromkeys(FIELDS, "127.0.0.1"), DeadlineTransport)
    assert "allow_private" in told


@pytest.fixture
def caller(server: Loopback) -> Iterator[Callable[..., Caller]]:
    made: list[Caller] = []

    def call(base: str, **more: Any) -> Caller:
        made.append(Caller(base, NoAuth(), Limits(PLENTY), deadline=5.0, **more))
        return made[-1]

    yield call
    for each in made:
        each.close()


@pytest.mark.parametrize("kind", ["http", "caldav", "hubspot", "salesforce"])
def test_every_remote_connector_has_the_setting(kind: str) -> None:
    assert connector(kind).settings.model_fields["allow_private"].default is False


def test_a_sink_stays_outside_unless_it_may_not(
    server: Loopback, caller: Callable[..., Caller]
) -> None:
    with pytest.raises(SinkBroken, match="this machine itself") as caught:
        caller(server.url).call(Request("GET", "/a"))
    assert "allow_private: true" in caught.value.hint
    assert not server.seen
    assert caller(server.url, reach=Reach.PRIVATE).call(Request("GET", "/a")).ok


def test_a_token_endpoint_is_judged_too(names: Names, server: Loopback) -> None:
    names["login.example"] = [["127.0.0.1"]]
    inside = TokenEndpoint(f"http://login.example:{server.address.rpartition(':')[2]}/token")
    with pytest.raises(SinkBroken, match=r"login\.example"):
        ClientCredentials(inside, "id", "secret").headers()
    assert not server.seen


def test_redirects_inside_are_not_followed(server: Loopback, caller: Callable[..., Caller]) -> None:
    server.answers(Reply(302, headers={"Location": "http://169.254.169.254/latest"}), Reply())
    assert caller(server.url, reach=Reach.PRIVATE).call(Request("GET", "/a")).status == 302
    assert len(server.seen) == 1
