"""The file that `zimun-sync init` writes."""

from typing import Final, get_args

from zimun_sync.config.models import DEFAULT_STATE
from zimun_sync.zimun.settings import StreamName

_STARTER: Final = f"""\
# What zimun-sync pulls, and where it puts it.
# Every setting: docs/configuration.md. Try this file with: zimun-sync check
# Relative paths start at this file's folder. ${{NAME}} is an environment variable.

# What has been pulled and delivered so far. Keep it: it is what makes a sync incremental.
state: {DEFAULT_STATE}

sources:
  main: # a name of your choice; it is part of every record's key
    # From Zimun: Settings, API Clients. Needs the scopes org:read, appointments:read and
    # availability:read.
    client_id: "${{ZIMUN_CLIENT_ID}}"
    client_secret: "${{ZIMUN_CLIENT_SECRET}}" # or client_secret_file: /run/secrets/zimun
    # webhook_secrets: ["${{ZIMUN_WEBHOOK_SECRET}}"] # docs/webhooks.md: changes within seconds
    # The last two are what can still be booked, asked for every service and staff member.
    streams: [{", ".join(get_args(StreamName))}]
    # phone_region: DE # reads phone numbers that have no country code

sinks:
  analytics: # open var/zimun.duckdb with DuckDB or a BI tool, at any time
    type: duckdb
    path: var/zimun.duckdb
  files: # one CSV file per stream
    type: csv
    path: var/csv

schedule: # of the daemon, `zimun-sync serve`
  nightly: "30 2 * * *"
  timezone: UTC # the business's own, such as Europe/Berlin
"""


def starter() -> str:
    """A small commented configuration; it loads once ZIMUN_CLIENT_ID and _SECRET are set."""
    return _STARTER
