"""Things that go wrong to order."""
