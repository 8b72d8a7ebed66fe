"""Fetches a dataset's export as a whole local file, and reads its rows in constant memory."""
