"""From measurements to figures, and from figures to tables in Markdown."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from measuring import Measured


def summary(measured: Sequence[Measured], drains: Sequence[Measured] = ()) -> dict[str, Any]:
    """Medians over the rounds, the greatest peak, and each round's seconds.

    Args:
        measured: one row's rounds.
        drains: the drains of the same rounds; with them come ratios, taken round by round.
    """
    ratios = [each.wall / drain.wall for each, drain in zip(measured, drains, strict=bool(drains))]
    found = {
        "wall_s": statistics.median(each.wall for each in measured),
        "cpu_s": statistics.median(each.cpu for each in measured),
        "peak_mb": max(each.peak_mb for each in measured),
        "walls_s": [round(each.wall, 3) for each in measured],
    }
    if ratios:
        found["ratio"] = statistics.median(ratios)
        found["ratios"] = [round(ratio, 3) for ratio in ratios]
    return found


def tables(results: dict[str, Any]) -> str:
    """Everything that was measured, in Markdown."""
    machine = results["machine"]
    versions = _versions(machine["versions"])
    parts = [f"{machine['cores']} cores ({machine['processor']}), {versions}"]
    if machine["peers"]:
        parts[0] += f"; peers: {_versions(machine['peers'])}"
    parts += ["\n".join(_size(size)) for size in results.get("sizes", ())]
    if starts := results.get("starts"):
        parts.append("\n".join(_starts(starts)))
    if nights := results.get("nights"):
        parts.append("\n".join(_nights(nights)))
    return "\n\n".join(parts)


def _size(size: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{size['rows']:,} appointments, {size['latency_ms']} ms a page, "
        f"medians of {size['rounds']} rounds:"
    )
    yield ""
    yield "| what | s | ratio | target | CPU, s | peak, MB |"
    yield "|---|---:|---:|---:|---:|---:|"
    for each in size["results"].values():
        yield (
            f"| {each['title']} | {each['wall_s']:.2f} | {each['ratio']:.2f} "
            f"| {_target(each['ratio'], each['target'])} | {each['cpu_s']:.2f} "
            f"| {each['peak_mb']:.0f} |"
        )


def _starts(starts: dict[str, Any]) -> Iterator[str]:
    yield "| start | s | target, s | CPU, s | peak, MB |"
    yield "|---|---:|---:|---:|---:|"
    for each in starts.values():
        yield (
            f"| {each['title']} | {each['wall_s']:.2f} "
            f"| {_target(each['wall_s'], each['target_s'])} | {each['cpu_s']:.2f} "
            f"| {each['peak_mb']:.0f} |"
        )


def _nights(nights: dict[str, Any]) -> Iterator[str]:
    yield f"| MB, {nights['rows']:,} appointments | state | its history | DuckDB | its versions |"
    yield "|---|---:|---:|---:|---:|"
    for when, title in (
        ("first", "first sync"),
        ("last", f"{nights['nights']} nights of 1% later"),
    ):
        at = nights[when]
        yield (
            f"| {title} | {at['state_mb']:.1f} | {at['state_history_mb']:.1f} "
            f"| {at['duckdb_mb']:.1f} | {at['duckdb_history_mb']:.1f} |"
        )
    ratio, target = nights["ratio"], nights["target"]
    yield (
        f"| without history, as a multiple of the first; target {target:g} "
        f"| {_met(ratio['state'], target)} | | {_met(ratio['duckdb'], target)} | |"
    )


def _versions(numbers: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


def _target(value: float, target: float | None) -> str:
    if target is None:
        return ""
    return f"{target:g}" if value <= target else f"{target:g} (missed)"


def _met(value: float, target: float) -> str:
    return f"{value:.2f}" if value <= target else f"{value:.2f} (missed)"
