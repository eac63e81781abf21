"""Rules without input or output: no database, network, clock, settings or Flask. Time comes in as an argument."""
