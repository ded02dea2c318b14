"""What a search has found, as one HTML page and in a notebook."""

from kt_extras.report.notebook import search_html
from kt_extras.report.page import report

__all__ = ["report", "search_html"]
