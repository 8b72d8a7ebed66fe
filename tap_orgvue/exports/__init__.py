"""A dataset's rows out of Orgvue: bytes on disk, read as they arrive."""
