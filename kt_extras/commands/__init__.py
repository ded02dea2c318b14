"""The commands of `python -m kt_extras`; each module adds its own to the parser."""
