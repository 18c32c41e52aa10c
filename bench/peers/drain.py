"""The bare minimum any puller has to do: fetch every page with httpx and find the next token."""

import json

from peers.zimun import Job, connected


def main() -> None:
    """Drain the appointments; print how many there are."""
    job = Job.told()
    params = {"page_size": job.page_size}
    count = 0
    with connected(job) as client:
        while True:
            page = client.get("/appointments", params=params).raise_for_status()
            body = json.loads(page.content)
            count += len(body["items"])
            if not body["next_page_token"]:
                break
            params["page_token"] = body["next_page_token"]
    print(count)


if __name__ == "__main__":
    main()
