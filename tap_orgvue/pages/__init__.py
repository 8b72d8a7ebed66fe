"""Pages to look at: the runs over time, and a tenant's datasets; made only where `jinja2` is."""
