"""HTML pages of the runs over time and of a tenant's datasets; need the extra `report`."""
