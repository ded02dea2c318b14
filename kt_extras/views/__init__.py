"""What a user asks of a search that is there: its results, tables, pictures and reports."""
