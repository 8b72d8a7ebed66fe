"""What a user can set, read once."""
