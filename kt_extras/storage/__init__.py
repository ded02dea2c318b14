"""Where the records of a search are kept; it knows plain records and nothing of oracles."""
