"""How good the best model is on data that were not searched on, and whether they were not."""
