"""How good the suggestions of samplers are, ours beside those of other libraries."""
