"""The demo wallet: a small real service with a ledger, and faults that are real."""
