"""Keeps dlt to itself: it reads our settings alone, phones nobody, prints and logs nothing.

Left alone it would read `.dlt` folders and environment variables of the machine, send telemetry
and keep files under the user's home.
"""

from pathlib import Path
from threading import Lock
from typing import Any, Final

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.dictionary import DictionaryProvider
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext

#: One load at a time and no retries: those are the engine's.
_SETTINGS: Final[dict[str, Any]] = {
    "runtime": {
        "dlthub_telemetry": False,
        "log_level": "CRITICAL",
        "intercept_signals": False,
        "request_max_attempts": 1,
    },
    "providers": {"enable_airflow_secrets": False},
    "restore_from_destination": False,
    "enable_runtime_trace": False,
    "extract": {"workers": 1},
    "load": {"workers": 1, "raise_on_max_retries": 1, "delete_completed_jobs": True},
}

_lock = Lock()


class _OurContext(RunContext):
    """Where dlt looks for settings and keeps its files.

    Args:
        folder: a folder of ours.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self._folder = folder

    def initial_providers(self) -> list[ConfigProvider]:
        """Our settings, and neither environment nor files."""
        ours = DictionaryProvider()
        ours._config_doc = _SETTINGS  # noqa: SLF001 - its `values` is for a block of code only
        return [ours]

    @property
    def global_dir(self) -> str:
        return self._folder

    @property
    def run_dir(self) -> str:
        return self._folder

    @property
    def local_dir(self) -> str:
        return self._folder

    @property
    def data_dir(self) -> str:
        return self._folder


def isolate(folder: Path) -> None:
    """Have dlt work for this process as described above; the first sink's folder serves all.

    Args:
        folder: where dlt may keep files.
    """
    with _lock:
        container = Container()
        if PluggableRunContext in container and isinstance(
            container[PluggableRunContext].context, _OurContext
        ):
            return
        container[PluggableRunContext] = PluggableRunContext(_OurContext(str(folder)))
