"""What a run's record is made of: settings, code and machine at its start, the rest at its end."""
