"""The columns of a stream: types, names, owners, and the user's rules."""
