"""A reader in a process of its own: asks the same question until told to stop, prints answers.

Usage: python hammer.py DATABASE SQL. Ends when standard input closes; an error ends it with
a traceback, which the test sees as a wrong answer.
"""

import sys
import threading

import duckdb

stop = threading.Event()


def wait() -> None:
    sys.stdin.read()
    stop.set()


threading.Thread(target=wait, daemon=True).start()
with duckdb.connect(sys.argv[1], read_only=True) as reader:
    while not stop.is_set():
        answer = reader.execute(sys.argv[2]).fetchall()[0]
        sys.stdout.write(" ".join(map(str, answer)) + "\n")
        sys.stdout.flush()
