"""wallet.yaml: positions, schema, plan, apply."""
