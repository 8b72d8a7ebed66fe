"""What a run did, told on the terminal, in the log and in the run report."""
