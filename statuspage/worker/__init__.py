"""The supervised loops: checker, deliverer, publisher, scheduler."""
