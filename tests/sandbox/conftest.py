"""A sandbox to order, and a client that has signed in to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from zimun_sync.sandbox import Sandbox, SandboxOptions

Serve = Callable[..., Sandbox]
SignIn = Callable[..., httpx.Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a sandbox of 60 appointments, or as the keywords say."""
    with ExitStack() as stack:

        def start(**settings: object) -> Sandbox:
            options = SandboxOptions(**({"appointments": 60} | settings))  # type: ignore[arg-type]
            return stack.enter_context(Sandbox(options))

        yield start


@pytest.fixture
def sign_in() -> Iterator[SignIn]:
    """Makes a client of a sandbox's API with a fresh token."""
    with ExitStack() as stack:

        def connect(sandbox: Sandbox, scope: str = "") -> httpx.Client:
            form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
            credentials = (sandbox.client_id, sandbox.client_secret)
            answer = httpx.post(sandbox.token_url, auth=credentials, data=form)
            headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
            client = httpx.Client(base_url=sandbox.base_url, headers=headers)
            return stack.enter_context(client)

        yield connect


@pytest.fixture
def sandbox(serve: Serve) -> Sandbox:
    """A running sandbox of 60 appointments."""
    return serve()


@pytest.fixture
def api(sandbox: Sandbox, sign_in: SignIn) -> httpx.Client:
    """A client of `sandbox` with every scope."""
    return sign_in(sandbox)


@pytest.fixture
def control(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client of the endpoints that rule `sandbox`."""
    with httpx.Client(base_url=sandbox.control_url) as client:
        yield client


@pytest.fixture
def slot(api: httpx.Client) -> dict[str, str]:
    """The last free slot of the coming week."""
    found: dict[str, str] = api.get(
        "/availability", params={"service_id": "s_cut", "days_ahead": 7}
    ).json()["slots"][-1]
    return found


@pytest.fixture
def order(sandbox: Sandbox, slot: dict[str, str]) -> dict[str, object]:
    """The body of a hold for `slot`."""
    return {
        "organization_id": sandbox.organization_id,
        "service_id": "s_cut",
        "appointment_time": slot["start"],
        "appointment_duration": 45,
        "staff_id": slot["staff_id"],
    }
