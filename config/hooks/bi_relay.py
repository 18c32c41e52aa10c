# ruff: noqa: INP001 - a script of its own, in no package
"""Refreshes a BI tool that only takes tokens which run out: signs in, then asks for the refresh.

A hook of zimun-sync calls it on the same machine: POST /superset, /power-bi or /tableau, with
`Authorization: Bearer $RELAY_TOKEN`. It answers 204 when the tool has taken the request, and 502
when it has not, so that the hook tries again. `docs/bi.md` lists the variables it reads.

It needs Python 3.11 and nothing else: `python bi_relay.py`.
"""

import hmac
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException
from http.cookiejar import CookieJar
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

#: Seconds that one request to a tool may be silent.
TIMEOUT = 60.0
JSON = "application/json"
#: Of a hook's body, which says nothing that is needed here.
_MOST_BYTES = 65_536


class Refused(Exception):
    """A tool did not do what it was asked; the message names the step, and no secret."""


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would carry credentials to where nobody sent them."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Tool:
    """One session with a BI tool: cookies are kept, redirects are not followed.

    Args:
        base: its address, without a slash at the end.
    """

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()), _NoRedirects)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Make a request and return the answer's JSON, or None if it has none.

        Args:
            method: of HTTP.
            path: below the base.
            body: JSON to be, or bytes as they are.
            headers: names with underscores for hyphens.

        Raises:
            Refused: any answer but 2xx, or none.
        """
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Content-Type": JSON, "Accept": JSON, "Referer": self._base} | named
        request = Request(self._base + path, data, sent, method=method)  # noqa: S310 - configured
        step = f"{method} {path.partition('?')[0]}"
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                text = answer.read()
        except HTTPError as error:
            raise Refused(f"{step} was answered {error.code}") from error
        except (URLError, HTTPException, OSError) as error:
            raise Refused(f"{step} got no answer ({type(error).__name__})") from error
        try:
            return json.loads(text) if text else None
        except ValueError:
            return None


def superset(settings: Mapping[str, str]) -> None:
    """Forget what is cached of the datasets, then fill the caches of the charts."""
    tool = Tool(settings["SUPERSET_URL"])
    names = {"username": settings["SUPERSET_USER"], "password": settings["SUPERSET_PASSWORD"]}
    signed_in = tool.call("POST", "/api/v1/security/login", names | {"provider": "db"})
    bearer = {"Authorization": f"Bearer {signed_in['access_token']}"}
    token = tool.call("GET", "/api/v1/security/csrf_token/", **bearer)["result"]
    headers = bearer | {"X_CSRFToken": token}
    datasets = [f"{number}__table" for number in _numbers(settings, "SUPERSET_DATASETS")]
    tool.call("POST", "/api/v1/cachekey/invalidate", {"datasource_uids": datasets}, **headers)
    for chart in _numbers(settings, "SUPERSET_CHARTS"):
        path, about = "/api/v1/chart/warm_up_cache", {"chart_id": chart}
        for result in tool.call("PUT", path, about, **headers)["result"]:
            if result.get("viz_error"):
                raise Refused(f"the query of chart {chart} failed")


def power_bi(settings: Mapping[str, str]) -> None:
    """Refresh a semantic model, as a service principal."""
    tenant = quote(settings["POWERBI_TENANT"], safe="")
    form = {
        "grant_type": "client_credentials",
        "client_id": settings["POWERBI_CLIENT_ID"],
        "client_secret": settings["POWERBI_CLIENT_SECRET"],
        "scope": "https://analysis.windows.net/powerbi/api/.default",
    }
    login = Tool(settings.get("POWERBI_LOGIN_URL", "https://login.microsoftonline.com"))
    kind = {"Content_Type": "application/x-www-form-urlencoded"}
    path = f"/{tenant}/oauth2/v2.0/token"
    token = login.call("POST", path, urlencode(form).encode(), **kind)["access_token"]
    group = quote(settings["POWERBI_WORKSPACE"], safe="")
    model = quote(settings["POWERBI_MODEL"], safe="")
    path = f"/v1.0/myorg/groups/{group}/datasets/{model}/refreshes"
    api = Tool(settings.get("POWERBI_URL", "https://api.powerbi.com"))
    api.call("POST", path, {}, Authorization=f"Bearer {token}")


def tableau(settings: Mapping[str, str]) -> None:
    """Refresh the extract of a published data source, and sign out again."""
    tool = Tool(settings["TABLEAU_URL"])
    api = "/api/" + settings.get("TABLEAU_API", "3.22")
    credentials = {
        "personalAccessTokenName": settings["TABLEAU_TOKEN_NAME"],
        "personalAccessTokenSecret": settings["TABLEAU_TOKEN_SECRET"],
        "site": {"contentUrl": settings.get("TABLEAU_SITE", "")},
    }
    found = tool.call("POST", f"{api}/auth/signin", {"credentials": credentials})["credentials"]
    auth = {"X_Tableau_Auth": found["token"]}
    site, source = found["site"]["id"], quote(settings["TABLEAU_SOURCE"], safe="")
    xml = auth | {"Content_Type": "application/xml"}
    try:
        path = f"{api}/sites/{site}/datasources/{source}/refresh"
        tool.call("POST", path, b"<tsRequest/>", **xml)
    finally:
        with suppress(Refused):  # what counts is the refresh; the token runs out by itself
            tool.call("POST", f"{api}/auth/signout", **auth)


def _numbers(settings: Mapping[str, str], name: str) -> list[int]:
    return [int(number) for number in settings.get(name, "").split(",") if number.strip()]


TOOLS: dict[str, Callable[[Mapping[str, str]], None]] = {
    "/superset": superset,
    "/power-bi": power_bi,
    "/tableau": tableau,
}


def refresh(path: str, settings: Mapping[str, str]) -> tuple[int, str]:
    """Refresh the tool of that path: the status to answer, and a line for the log."""
    try:
        TOOLS[path](settings)
    except Refused as error:
        return 502, f"{path}: {error}"
    except KeyError as error:
        return 502, f"{path}: {error} is missing in the environment or in the tool's answer"
    except TypeError:
        return 502, f"{path}: the tool's answer is not what it should be"
    except ValueError:
        return 502, f"{path}: an address or a number in the environment is not one"
    return 204, f"{path}: refreshed"


class Handler(BaseHTTPRequestHandler):
    """Takes the hook's request; one at a time."""

    timeout = 10  # a caller that says nothing holds nobody up

    def do_POST(self) -> None:
        """Check who asks, refresh, and answer."""
        length = self.headers.get("Content-Length", "")
        self.rfile.read(min(int(length), _MOST_BYTES) if length.isdecimal() else 0)
        wanted = f"Bearer {os.environ['RELAY_TOKEN']}"
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            status, line = 401, f"{self.path}: without the right token"
        elif self.path not in TOOLS:
            status, line = 404, "no such tool; there are /superset, /power-bi and /tableau"
        else:
            status, line = refresh(self.path, os.environ)
        sys.stderr.write(f"{line}\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Only our own lines."""


def main() -> None:
    """Serve on loopback until interrupted."""
    if not os.environ.get("RELAY_TOKEN"):
        sys.exit("Set RELAY_TOKEN to a long random text, and the same in the hook's headers.")
    server = HTTPServer(("127.0.0.1", int(os.environ.get("RELAY_PORT", "9000"))), Handler)
    sys.stderr.write(f"listening on http://127.0.0.1:{server.server_port}\n")
    server.serve_forever()


if __name__ == "__main__":
    main()
