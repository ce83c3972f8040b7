"""What people look at: tables, charts, the report, the terminal."""
