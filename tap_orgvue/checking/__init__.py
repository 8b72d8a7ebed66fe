"""`tap-orgvue --test`: checks the connection, plans a run, examines inferred facts of the API."""
