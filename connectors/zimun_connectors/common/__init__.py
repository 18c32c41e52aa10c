"""What sinks that live in files have in common: lock, permissions, replacing, identity, errors."""
