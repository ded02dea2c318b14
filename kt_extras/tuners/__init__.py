"""The tuners, and what they do with the trials that an oracle hands out."""
