"""The demo wallet: a small real service with a ledger, a chain node and real faults. Imports nothing of ours."""
