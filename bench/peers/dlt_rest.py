"""dlt as its documentation shows it: the REST source, described by a dictionary.

All else is as it comes, unless a sixth argument names the format of the files to be loaded and the
environment holds dlt's own settings.
"""

import sys
from base64 import b64encode
from typing import Any

import dlt
from dlt.common.configuration import configspec
from dlt.sources.helpers.rest_client.auth import OAuth2ClientCredentials
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import RESTAPIConfig

from peers.zimun import Job


@configspec
class BasicCredentials(OAuth2ClientCredentials):
    """Credentials as HTTP Basic, which this API asks for; dlt puts them in the form."""

    def build_access_token_request(self) -> dict[str, Any]:
        """What dlt posts to get a token."""
        pair = b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        return {
            "headers": {"Authorization": f"Basic {pair}"},
            "data": {"grant_type": "client_credentials"},
        }


def description(job: Job) -> RESTAPIConfig:
    """The API as the REST source wants it described."""
    return {
        "client": {
            "base_url": job.base_url,
            "auth": BasicCredentials(
                access_token_url=job.token_url,
                client_id=job.client_id,
                client_secret=job.client_secret,
            ),
            "paginator": {
                "type": "cursor",
                "cursor_path": "next_page_token",
                "cursor_param": "page_token",
            },
        },
        "resource_defaults": {"primary_key": "appointment_id", "write_disposition": "merge"},
        "resources": [
            {
                "name": "appointments",
                "endpoint": {
                    "path": "appointments",
                    "params": {"page_size": job.page_size},
                    "data_selector": "items",
                },
            }
        ],
    }


def main() -> None:
    """Load the appointments."""
    job = Job.told()
    pipeline = dlt.pipeline(
        pipeline_name="rest",
        pipelines_dir=f"{job.database}.dlt",
        destination=dlt.destinations.duckdb(job.database),
        dataset_name="bench",
    )
    formats: dict[str, Any] = dict(zip(["loader_file_format"], sys.argv[6:], strict=False))
    pipeline.run(rest_api_source(description(job)), **formats).raise_on_failed_jobs()


if __name__ == "__main__":
    main()
