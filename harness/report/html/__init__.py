"""The report of a run as one page that needs no network; see `page.html_report`."""

from harness.report.html.page import html_report

__all__ = ["html_report"]
