"""What is known of a search, and the events by which that changes."""
