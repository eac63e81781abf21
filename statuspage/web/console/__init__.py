"""The operators' console: its own Flask application on its own port. An injected status page must not reach it."""
