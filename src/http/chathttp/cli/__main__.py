"""``python -m chathttp.cli``: how the command line starts itself again, wherever its script lies."""

from chathttp.cli import main

main()
