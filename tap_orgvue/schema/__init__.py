"""Which columns a stream has."""
