"""A block of rows becomes records."""
