"""``python -m ops.contract`` fails when the contract breaks what was released; with ``release`` it becomes that."""

import sys
from pathlib import Path
from typing import Final

from ops.contract.released import broken_promises, keep

ROOT: Final = Path(__file__).parents[2]
USAGE: Final = "usage: python -m ops.contract [release]"


def main(words: list[str], root: Path = ROOT) -> int:
    """The exit status: 0, 1 for breaking changes, 2 for words that mean nothing."""
    if words not in ([], ["release"]):
        print(USAGE, file=sys.stderr)
        return 2
    broken = broken_promises(root)
    for name, changes in broken.items():
        print(f"Clients of {name} break, unless the version rises:", file=sys.stderr)
        print("\n".join(f"  {change}" for change in changes), file=sys.stderr)
    if not broken and words:
        keep(root)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
