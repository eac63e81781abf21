"""How a message leaves the house: one channel, one file, one line in the registry."""
