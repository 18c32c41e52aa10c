"""One HTTP call of a hook, and what came of it."""

from collections.abc import Callable
from contextlib import closing
from typing import Final
from urllib.parse import urlsplit

import httpx

from zimun_sync import __version__
from zimun_sync.config.serving import HookSettings
from zimun_sync.network.failures import is_untrusted
from zimun_sync.network.reach import AddressRefused, Reach
from zimun_sync.network.transport import DEADLINE
from zimun_sync.templates import FIELDS, Fields, fill_body, fill_url, is_json

#: Makes the way to an address, as far as it may lead.
Transport = Callable[[str, Reach], httpx.BaseTransport]

#: All fields, for a hook that has no body of its own.
_ALL: Final = "{" + ", ".join(f'"{name}": "{{{name}}}"' for name in FIELDS) + "}"


def send(settings: HookSettings, fields: Fields, transport: Transport) -> str:
    """Call a hook's address once, within its `timeout`.

    Args:
        settings: the hook's.
        fields: what fills its templates.
        transport: makes the way to an address.

    Returns:
        Empty if it was answered 2xx; else what went wrong: a status or a kind of failure, and
        the host. Path, query, headers and body may hold secrets and are never named.
    """
    try:
        request = _request(settings, fields)
        reach = Reach.of(allow_private=settings.allow_private)
        with closing(transport(str(request.url), reach)) as way:
            response = way.handle_request(request)
            response.close()  # of the answer only the status counts
    except (httpx.TransportError, httpx.InvalidURL, OSError, ValueError) as error:
        return _explained(error, settings)
    return _judged(response.status_code, _host(settings))


def _request(settings: HookSettings, fields: Fields) -> httpx.Request:
    template = settings.body
    if template is None and settings.method != "GET":
        template = _ALL
    timeout = httpx.Timeout(settings.timeout).as_dict()
    return httpx.Request(
        settings.method,
        fill_url(settings.url.get_secret_value(), fields),
        headers=_headers(settings, template),
        content=None if template is None else fill_body(template, fields).encode(),
        extensions={"timeout": timeout, DEADLINE: settings.timeout},
    )


def _headers(settings: HookSettings, template: str | None) -> httpx.Headers:
    """The hook's own headers over ours."""
    headers = httpx.Headers({"Accept": "*/*", "User-Agent": f"zimun-sync/{__version__}"})
    if template is not None:
        json = is_json(template)
        headers["Content-Type"] = "application/json" if json else "text/plain; charset=utf-8"
    for name, value in settings.headers.items():
        headers[name] = value.get_secret_value()
    return headers


def _judged(status: int, host: str) -> str:
    if httpx.codes.is_success(status):
        return ""
    if httpx.codes.is_redirect(status):
        return f"{host} answered {status}: redirects are not followed."
    return f"{host} answered {status}."


def _explained(error: Exception, settings: HookSettings) -> str:
    host = _host(settings)
    if isinstance(error, AddressRefused):
        cure = "; set the hook's allow_private: true if that is meant" if error.curable else ""
        return f"Nothing was sent: {error}{cure}."
    if isinstance(error, httpx.TimeoutException):
        return f"{host} did not answer within {settings.timeout:g} seconds."
    if is_untrusted(error):
        return f"The certificate of {host} is not trusted."
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return f"{host} could not be reached."
    if isinstance(error, httpx.LocalProtocolError | httpx.InvalidURL | ValueError):
        return f"The address or a header for {host} cannot be sent."
    return f"The connection to {host} broke."


def _host(settings: HookSettings) -> str:
    return urlsplit(settings.url.get_secret_value()).hostname or "the host"
