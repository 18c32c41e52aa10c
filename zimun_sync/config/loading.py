"""Reading a configuration: read `load` first, it tells the whole story."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from zimun_sync.config import promotions, tree, wording
from zimun_sync.config.draft import Draft
from zimun_sync.config.environment import FILE_VARIABLE
from zimun_sync.config.models import Config, FileSettings, SinkConfig
from zimun_sync.errors import ConfigError
from zimun_sync.sinks import connector

#: Where a configuration is looked for, in this order.
SEARCHED: Final = (Path("zimun-sync.yaml"), Path("/etc/zimun-sync/config.yaml"))


def load(path: Path | None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration, complete and valid.

    Settings come from the file and, above it, from variables such as
    `ZIMUN_SYNC_SOURCES__MAIN__PAGE_SIZE`. In the file's values `${VAR}` and
    `${VAR:-default}` stand for variables and `$$` for a dollar; `X_file` reads setting X from
    a file, whose path is relative to the configuration's folder.

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
    draft.finish()
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
        log=settings.log,
        secret_files=tuple(draft.secret_files),
        streams=promotions.streams_of(each.promote for each in settings.sources.values()),
        warnings=(*_no_sinks(sinks, file), *_readable_secrets(draft, file)),
    )


def _found(environ: Mapping[str, str]) -> Path:
    if environ.get(FILE_VARIABLE):
        return Path(environ[FILE_VARIABLE])
    for candidate in SEARCHED:
        if candidate.exists():
            return candidate
    raise ConfigError(
        f"There is no configuration: neither {' nor '.join(str(file) for file in SEARCHED)}.",
        hint=f"Write one with `zimun-sync init`, or name one with --config or ${FILE_VARIABLE}.",
    )


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
    own = {key: value for key, value in section.items() if key != "type"}
    settings = draft.validate(code.settings, own, place)
    return None if settings is None else SinkConfig(name, code, settings)


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


def _readable_secrets(draft: Draft, file: Path) -> list[str]:
    if not file.stat().st_mode & stat.S_IROTH:
        return []
    return [
        f"{draft.where(place)}: {wording.name(place)}: this secret can be read by everyone on "
        f"this machine; `chmod o-r {file}`, or use {place[-1]}_file or ${{VAR}}."
        for place in draft.literal_secrets()
    ]
