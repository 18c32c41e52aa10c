"""Reading a configuration: read `load` first, it tells the whole story."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from zimun_sync.config import privacy, promotions, tree, wording
from zimun_sync.config.draft import Draft
from zimun_sync.config.environment import FILE_VARIABLE, from_json
from zimun_sync.config.models import Config, FileSettings, SinkConfig
from zimun_sync.config.privacy import SinkPrivacySettings
from zimun_sync.errors import ConfigError
from zimun_sync.model import Stream
from zimun_sync.network.addresses import is_exposed
from zimun_sync.sinks import connector

#: Where a configuration is looked for, in this order.
SEARCHED: Final = (Path("zimun-sync.yaml"), Path("/etc/zimun-sync/config.yaml"))


def load(path: Path | None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration, complete and valid.

    Settings come from the file and, above it, from variables such as
    `ZIMUN_SYNC_SOURCES__MAIN__PAGE_SIZE`. In the file's values `${VAR}` and
    `${VAR:-default}` stand for variables and `$$` for a dollar; `X_file` reads setting X from
    a file, whose path is relative to the configuration's folder, and `X_command` from what a
    command prints.

    Args:
        path: the file; None takes $ZIMUN_SYNC_CONFIG, else ./zimun-sync.yaml, else
            /etc/zimun-sync/config.yaml.
        environ: the process's environment.

    Raises:
        ConfigError: no file, or everything that is wrong with it in one message.
    """
    file = path or _found(environ)
    draft = Draft(tree.read(file), file.absolute().parent, environ)
    _refuse_unknown_variables(draft)
    draft.complete(FileSettings, draft.values)
    sinks = _sinks(draft)
    settings = draft.validate(FileSettings, draft.values)
    _refuse_unknown_names(draft, settings)
    _refuse_clashes(draft, settings)
    streams = _streams(settings)
    _refuse_policies(draft, settings, sinks, streams)
    draft.finish()
    sinks = _guarded(sinks, settings, streams)
    return Config(
        file=file.absolute(),
        folder=file.absolute().parent,
        state=settings.state,
        sources=settings.sources,
        sinks=sinks,
        sync=settings.sync,
        deletions=settings.deletions,
        server=settings.server,
        schedule=settings.schedule,
        hooks=settings.hooks,
        alerts=settings.alerts,
        retention=settings.retention,
        privacy=settings.privacy,
        log=settings.log,
        secret_files=tuple(draft.secret_files),
        streams=streams,
        warnings=(
            *_no_sinks(sinks, file),
            *_readable_secrets(draft, file),
            *_unencrypted(settings, sinks),
            *_without_contacts(draft, sinks),
        ),
    )


def _found(environ: Mapping[str, str]) -> Path:
    if environ.get(FILE_VARIABLE):
        return Path(environ[FILE_VARIABLE])
    for candidate in SEARCHED:
        if _is_there(candidate):
            return candidate
    raise ConfigError(
        f"There is no configuration: neither {' nor '.join(str(file) for file in SEARCHED)}.",
        hint=f"Write one with `zimun-sync init`, or name one with --config or ${FILE_VARIABLE}.",
    )


def _is_there(file: Path) -> bool:
    """Whether there is such a file, or one that is hidden from this user: reading it will tell."""
    try:
        return file.exists()
    except PermissionError:
        return True


def _refuse_unknown_variables(draft: Draft) -> None:
    for variable in draft.environment.unknown():
        draft.add_variable(variable, wording.unknown(variable, draft.environment.guesses()))


def _sinks(draft: Draft) -> dict[str, SinkConfig]:
    """The sinks whose sections are right; the problems of the others are taken down."""
    sections = draft.values.get("sinks")
    if not isinstance(sections, dict):
        return {}
    found = {
        name: _sink(draft, name, section)
        for name, section in sections.items()
        if isinstance(section, dict)
    }
    return {name: sink for name, sink in found.items() if sink is not None}


def _sink(draft: Draft, name: str, section: dict[str, Any]) -> SinkConfig | None:
    place = ("sinks", name)
    kind = section.get("type")
    if not isinstance(kind, str):
        draft.add((*place, "type"), "is required: the name of a connector, such as duckdb")
        return None
    try:
        code = connector(kind)
    except ConfigError as error:
        draft.add((*place, "type"), f"{error.message} {error.hint}")
        return None
    draft.complete(code.settings, section, place)
    own = {key: value for key, value in section.items() if key not in ("type", "privacy")}
    settings = draft.validate(code.settings, own, place)
    hidden = _privacy(draft, section, (*place, "privacy"))
    return None if settings is None or hidden is None else SinkConfig(name, code, settings, hidden)


def _privacy(
    draft: Draft, section: Mapping[str, Any], place: tuple[str, ...]
) -> SinkPrivacySettings | None:
    """What the engine hides from the sink; its connector does not learn of it."""
    given = section.get("privacy")
    values = from_json(given) if isinstance(given, str) else {} if given is None else given
    draft.complete(SinkPrivacySettings, values, place)
    found: SinkPrivacySettings | None = draft.validate(SinkPrivacySettings, values, place)
    return found


def _streams(settings: FileSettings | None) -> dict[str, Stream]:
    sources = () if settings is None else settings.sources.values()
    return promotions.streams_of(each.promote for each in sources)


def _refuse_policies(
    draft: Draft,
    settings: FileSettings | None,
    sinks: Mapping[str, SinkConfig],
    streams: Mapping[str, Stream],
) -> None:
    """Policies name what there is and can be hidden so, and what is hashed has a key."""
    if settings is None:
        return
    for name, sink in sinks.items():
        found = privacy.problems(sink.privacy, sink.settings, settings.privacy.key, streams)
        for place, text in found:
            draft.add(("sinks", name, "privacy", *place), text)


def _guarded(
    sinks: Mapping[str, SinkConfig], settings: FileSettings, streams: Mapping[str, Stream]
) -> dict[str, SinkConfig]:
    key = settings.privacy.key
    return {
        name: replace(sink, guard=privacy.guard_of(sink.privacy, key, streams))
        for name, sink in sinks.items()
    }


def _refuse_unknown_names(draft: Draft, settings: FileSettings | None) -> None:
    """Hooks may only name sinks and sources that are there."""
    if settings is None:
        return
    for name, hook in settings.hooks.items():
        for kind, named, known in (
            ("sinks", hook.sinks, settings.sinks),
            ("sources", hook.sources, settings.sources),
        ):
            for each in named:
                if each not in known:
                    text = f"there is no {each!r} among the {kind}"
                    draft.add(("hooks", name, kind), text)


def _refuse_clashes(draft: Draft, settings: FileSettings | None) -> None:
    """One table holds a stream of every source: a column of it has one type."""
    if settings is not None:
        given = {name: source.promote for name, source in settings.sources.items()}
        for place, text in promotions.clashes(given):
            draft.add(place, text)


def _no_sinks(sinks: Mapping[str, SinkConfig], file: Path) -> list[str]:
    return [] if sinks else [f"{file}: there are no sinks, so records go nowhere."]


def _unencrypted(settings: FileSettings, sinks: Mapping[str, SinkConfig]) -> list[str]:
    """Sections whose secrets and data go over a network that anyone on the way can read."""
    sections: dict[str, Any] = {f"sources.{name}": each for name, each in settings.sources.items()}
    sections |= {f"sinks.{name}": each.settings for name, each in sinks.items()}
    return [
        f"{place}: allow_plain_http is on, and its address is plain http: secrets and personal "
        "data travel unencrypted; use https as soon as the other side has it."
        for place, section in sections.items()
        if getattr(section, "allow_plain_http", False)
        and is_exposed(str(getattr(section, "base_url", None) or getattr(section, "url", "")))
    ]


def _readable_secrets(draft: Draft, file: Path) -> list[str]:
    if not file.stat().st_mode & stat.S_IROTH:
        return []
    return [
        f"{draft.where(place)}: {wording.name(place)}: this secret can be read by everyone on "
        f"this machine; `chmod o-r {file}`, or use {place[-1]}_file or ${{VAR}}."
        for place in draft.literal_secrets()
    ]


def _without_contacts(draft: Draft, sinks: Mapping[str, SinkConfig]) -> Iterator[str]:
    for name, sink in sinks.items():
        place = ("sinks", name, "privacy")
        if privacy.knows_nobody(sink.guard, sink.settings):
            yield (
                f"{draft.where(place)}: {wording.name(place)}: the columns are dropped by which it "
                "knows people, so it writes appointments without contacts."
            )
