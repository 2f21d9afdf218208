"""Reading runs, from ML Metadata or from files alone, and finding what a person asks for."""
