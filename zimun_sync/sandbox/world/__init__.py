"""A business, its customers and its bookings: pure, with no HTTP and a clock of your choice."""

from zimun_sync.sandbox.world.world import World, WorldOptions

__all__ = ["World", "WorldOptions"]
