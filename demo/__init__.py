"""The main job shown on this machine alone: a tenant's datasets, loaded into a database."""
