"""What is shipped to run the daemon with, read as the tools that take it do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    """A file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    lines = [line for line in read("Dockerfile").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    split = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, _, rest in split]


@pytest.fixture(scope="session")
def image(instructions: list[tuple[str, str]]) -> Mapping[str, str]:
    """Variables of the image."""
    words = [word for name, rest in instructions if name == "ENV" for word in rest.split()]
    return dict(word.split("=", 1) for word in words)


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """compose.yaml with its merge keys resolved."""
    content: dict[str, Any] = yaml.safe_load(read("compose.yaml"))
    return content


@pytest.fixture(scope="session")
def objects() -> dict[str, Any]:
    """The Kubernetes objects by kind."""
    found = list(yaml.safe_load_all(read("deploy/kubernetes.yaml")))
    assert len({each["kind"] for each in found}) == len(found)
    return {each["kind"]: each for each in found}
