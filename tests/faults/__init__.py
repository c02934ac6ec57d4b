"""Faults thrown at a real server: each row of the table has a bar, what was measured, and whether it holds."""
