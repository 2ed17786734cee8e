"""What each view shows, as rows: functions of what is known of the node, which know nothing of a terminal."""
