"""The public site as files: what depends on what, and how it gets onto disk whole."""
