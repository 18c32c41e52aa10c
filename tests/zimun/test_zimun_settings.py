import pytest
from pydantic import ValidationError

from zimun_sync.zimun import ClientSettings, Paths

CREDENTIALS = {"client_id": "id", "client_secret": "s3cret-value"}


def settings(**given: object) -> ClientSettings:
    return ClientSettings.model_validate({**CREDENTIALS, **given})


def test_the_credentials_are_all_that_must_be_given() -> None:
    assert settings().base_url == "https://api.zimun.online/api/v1"


@pytest.mark.parametrize(
    ("base_url", "token_url"),
    [
        ("https://api.zimun.online/api/v1", "https://api.zimun.online/oauth/token"),
        ("https://eu.example.org:8443/v2/", "https://eu.example.org:8443/oauth/token"),
        ("http://127.0.0.1:8080/api/v1", "http://127.0.0.1:8080/oauth/token"),
        ("http://[::1]:8080/api/v1", "http://[::1]:8080/oauth/token"),
    ],
)
def test_the_token_endpoint_lies_at_the_root_of_the_host(base_url: str, token_url: str) -> None:
    assert settings(base_url=base_url).token_address == token_url


def test_the_token_endpoint_can_be_elsewhere() -> None:
    given = settings(token_url="https://login.example.org/token")
    assert given.token_address == "https://login.example.org/token"


def test_no_way_of_printing_shows_the_secret() -> None:
    shown = settings()
    assert "s3cret-value" not in f"{shown!r} {shown} {shown.model_dump()} {shown.model_dump_json()}"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("base_url", "api.zimun.online", "absolute URL"),
        ("base_url", "ftp://api.zimun.online", "absolute URL"),
        ("base_url", "https://me:pw@api.zimun.online", "client_id and client_secret"),
        ("base_url", "https://api.zimun.online/api?x=1", "no query"),
        ("base_url", "http://api.zimun.online/api/v1", "allow_plain_http"),
        ("token_url", "http://login.example.org/token", "allow_plain_http"),
        ("client_id", "", "at least 1 character"),
        ("page_size", 0, "greater than 0"),
        ("page_sise", 10, "Extra inputs"),
        ("by_id", ["appointment"], "'appointments'"),
        ("user_agent", "two\r\nlines", "pattern"),
        ("scopes", ["org:read appointments:read"], "pattern"),
        ("paths", {"staff": "staff"}, "starts with '/'"),
        ("paths", {"staff": "/../staff"}, "starts with '/'"),
        ("paths", {"stuff": "/stuff"}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(field: str, value: object, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**{field: value})
    assert field in str(caught.value) or "plain http" in str(caught.value)
    assert said in str(caught.value)


def test_plain_http_needs_to_be_allowed_aloud() -> None:
    given = settings(base_url="http://zimun.internal/api/v1", allow_plain_http=True)
    assert given.base_url == "http://zimun.internal/api/v1"


def test_one_path_can_be_changed_alone() -> None:
    paths = settings(paths={"staff": "/team/"}).paths
    assert (paths.of("staff"), paths.of("services")) == ("/team", "/services")


def test_an_unknown_stream_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'staf'.*organization.*appointments"):
        Paths().of("staf")


def test_every_setting_says_what_it_means() -> None:
    for model in (ClientSettings, Paths):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} has no description"
