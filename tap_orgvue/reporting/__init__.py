"""Reports a run: live on the terminal, by log lines, and in the run report."""
