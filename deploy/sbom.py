"""Writes what a release is made of: a CycloneDX 1.6 document of the runtime dependencies.

Run by `make sbom` in the environment that `constraints.txt` made; reads installed metadata only.
"""  # noqa: INP001 - a script

import json
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "zimun-sync"
EXTRAS = ("all",)


def main(target: Path) -> None:
    """Write the document; its content depends on nothing but what is installed."""
    found = dict(sorted(gathered().items()))
    own = found.pop(PROJECT)
    components = [component(each, "library") for each, _ in found.values()]
    everything = json.dumps([each["bom-ref"] for each in components])
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, reference(own[0]) + everything)}",
        "version": 1,
        "metadata": {"component": component(own[0], "application")},
        "components": components,
        "dependencies": [
            {
                "ref": reference(each),
                "dependsOn": sorted(reference(found[name][0]) for name in needs),
            }
            for each, needs in [own, *found.values()]
        ],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def gathered() -> dict[str, tuple[Distribution, set[str]]]:
    """Each distribution by name, with the names of what it needs here; the project included."""
    found: dict[str, tuple[Distribution, set[str]]] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [(PROJECT, EXTRAS)]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        each, needs = found.setdefault(name, (installed(name), set()))
        for needed, further in requirements(each, extras):
            if needed != PROJECT:
                needs.add(needed)
            waiting.append((needed, further))
    return found


def installed(name: str) -> Distribution:
    """What is installed under that name; a document with a hole in it would be worth nothing."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        sys.exit(f"{name} is not installed: run `make setup`, then `make sbom` again.")


def requirements(
    each: Distribution, extras: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What it needs on this system, with the extras that it asks for."""
    for text in each.requires or []:
        needed = Requirement(text)
        chosen = [{"extra": extra} for extra in extras] or [{"extra": ""}]
        if needed.marker is None or any(needed.marker.evaluate(one) for one in chosen):
            yield canonicalize_name(needed.name), tuple(sorted(needed.extras))


def component(each: Distribution, kind: str) -> dict[str, Any]:
    """A distribution as CycloneDX has it."""
    about = each.metadata
    told: dict[str, Any] = {
        "type": kind,
        "bom-ref": reference(each),
        "name": about["Name"],
        "version": each.version,
        "purl": reference(each),
    }
    expression = about.get("License-Expression")
    if expression:
        told["licenses"] = [{"expression": expression}]
    return told


def reference(each: Distribution) -> str:
    """A package's address that names no registry (purl)."""
    return f"pkg:pypi/{canonicalize_name(each.metadata['Name'])}@{each.version}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
