"""What a run of the load tester shows: live, at its end, against thresholds, against an older run, and as a page."""
