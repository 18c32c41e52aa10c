"""The way of a record: pull, store, deliver. Read `sync.py` first."""
