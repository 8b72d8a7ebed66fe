"""The streams of drafts: which drafts a run sends, and which parts of their changes."""
