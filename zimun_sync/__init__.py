"""zimun-sync keeps a business's own tools true to its Zimun bookings."""

__version__ = "0.1.0"
