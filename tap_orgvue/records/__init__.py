"""Makes records from blocks of rows: the hot path."""
