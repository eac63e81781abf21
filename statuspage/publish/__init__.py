"""The public site as files: what depends on what, rendering through Flask's routes, atomic writes, feeds, Statuspage's JSON."""
