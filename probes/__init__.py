"""Observe: what a wallet's services and chains answer. Knows nothing of the site and runs alone as a remote agent."""
