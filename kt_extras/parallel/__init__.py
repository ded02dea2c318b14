"""Trials in several processes at once: on the cores of a machine, or on a cluster."""
