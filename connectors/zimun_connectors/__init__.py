"""Connectors that ship with zimun-sync, one folder each."""
