"""A dbt project for a tenant, made from a catalog: `tap-orgvue-dbt`."""
