"""Makes the sample reports. Standard library only; the same bytes on every run."""
