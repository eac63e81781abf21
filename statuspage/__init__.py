"""A self-hosted status page and incident notifier for digital wallets."""

__version__ = "0.1.0"
