"""Other servers, each as its own documentation sets it up, measured beside this one."""
