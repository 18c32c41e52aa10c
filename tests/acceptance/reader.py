"""An analyst with the database open: queries it until a file appears, then tells what was seen.

Arguments: the database, the file. Standard output: one line when the first answer is there, then
one JSON object.
"""

import json
import sys
from pathlib import Path

import duckdb

QUERY = """\
SELECT count(*), count(DISTINCT appointment_id), max(_seq)::BIGINT, sum(duration_minutes)::BIGINT,
       count(*) FILTER (ends_at <> starts_at + duration_minutes * INTERVAL 1 MINUTE)
FROM appointments"""


def main(database: str, stop: Path) -> None:
    answers: list[tuple[int, ...]] = []
    with duckdb.connect(database, read_only=True, config={"threads": 1}) as connection:
        while not stop.exists() or len(answers) < 2:
            answers.append(connection.execute(QUERY).fetchall()[0])
            if len(answers) == 1:
                sys.stdout.write("reading\n")
                sys.stdout.flush()
        answers.append(connection.execute(QUERY).fetchall()[0])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
