"""The oracles, which hand out trials and take their results."""
