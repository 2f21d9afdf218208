"""What people see: tables and pages of runs, as text, JSON and HTML."""
