"""What is shown of a run: the summary for scripts and the page for people."""
