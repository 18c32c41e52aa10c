"""Run the notebook as a script and print the data of its charts as JSON; a process of its own.

Arguments: the notebook, then its own.
"""

import json
import runpy
import sys

import altair as alt


def main() -> None:
    notebook, *arguments = sys.argv[1:]
    sys.argv = [notebook, *arguments]
    _, values = runpy.run_path(notebook)["app"].run()
    charts = {name: value.to_dict() for name, value in values.items() if _is_chart(value)}
    json.dump(charts, sys.stdout)


def _is_chart(value: object) -> bool:
    return isinstance(value, alt.TopLevelMixin)


if __name__ == "__main__":
    main()
