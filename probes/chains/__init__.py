"""Probes that speak a chain's own language."""
