"""What ``stackmentor dev`` brings along so that nothing need be installed: PostgreSQL and demo data."""
