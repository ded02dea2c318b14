"""Weights and full states of models on disk."""
