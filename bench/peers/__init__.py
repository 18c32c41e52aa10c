"""The programs that a sync is compared with; each runs in a process of its own."""
