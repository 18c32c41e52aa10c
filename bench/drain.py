"""The bare minimum any puller has to do: fetch every page with httpx and find the next token."""

import json
import sys

import httpx


def main() -> None:
    """Drain the appointments at argv[1] (base URL) in pages of argv[2]; print how many."""
    base_url, page_size = sys.argv[1], int(sys.argv[2])
    root = httpx.URL(base_url).copy_with(path="/oauth/token")
    with httpx.Client(timeout=60) as client:
        credentials = httpx.BasicAuth(sys.argv[3], sys.argv[4])
        answer = client.post(root, data={"grant_type": "client_credentials"}, auth=credentials)
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        params = {"page_size": str(page_size)}
        count = 0
        while True:
            page = client.get(f"{base_url}/appointments", params=params).raise_for_status()
            body = json.loads(page.content)
            count += len(body["items"])
            if not body["next_page_token"]:
                break
            params["page_token"] = body["next_page_token"]
    print(count)


if __name__ == "__main__":
    main()
