"""Reuse compiled models for trials that differ in numbers alone."""
