"""Tables and queries, by noun. Anyone may read; only actions write."""
