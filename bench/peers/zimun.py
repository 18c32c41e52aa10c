"""What each peer needs to talk to the source, however it stores what it gets."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class Job:
    """What a peer is told on its command line.

    Args:
        base_url: of the API.
        page_size: records a page.
        client_id: of the API client.
        client_secret: of the same.
        database: the DuckDB file to be filled; empty for the drain.
    """

    base_url: str
    page_size: str
    client_id: str
    client_secret: str
    database: str

    @classmethod
    def told(cls) -> "Job":
        """Read the command line."""
        return cls(*sys.argv[1:6])

    @property
    def token_url(self) -> str:
        """Where access tokens are got: at the host's root."""
        return str(httpx.URL(self.base_url).copy_with(path="/oauth/token"))


@contextmanager
def connected(job: Job) -> Iterator[httpx.Client]:
    """A client with an access token and a connection that is kept."""
    with httpx.Client(base_url=job.base_url, timeout=60) as client:
        credentials = httpx.BasicAuth(job.client_id, job.client_secret)
        form = {"grant_type": "client_credentials"}
        answer = client.post(job.token_url, data=form, auth=credentials).raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def pages(job: Job) -> Iterator[list[dict[str, object]]]:
    """The records of one page after the other, decoded by orjson."""
    import orjson

    params = {"page_size": job.page_size}
    with connected(job) as client:
        while True:
            answer = client.get("/appointments", params=params).raise_for_status()
            body = orjson.loads(answer.content)
            yield body["items"]
            if not body["next_page_token"]:
                return
            params["page_token"] = body["next_page_token"]
