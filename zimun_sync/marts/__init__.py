"""The model to query: documented views over the streams, for DuckDB, PostgreSQL and dbt.

This folder is a dbt package (`dbt_project.yml`, `models`, `macros`). The same files are rendered
here for the sinks that make views of them; what every column means stands in `models/schema.yml`.
"""

from zimun_sync.marts.descriptions import Meaning, Relation, views
from zimun_sync.marts.render import Dialect, Model, fingerprint, models, render
from zimun_sync.marts.streams import stream_comment

__all__ = [
    "Dialect",
    "Meaning",
    "Model",
    "Relation",
    "fingerprint",
    "models",
    "render",
    "stream_comment",
    "views",
]
