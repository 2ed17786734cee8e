#!/bin/sh
# Makes a virtual environment with pip in the given directory, with $PYTHON or the newest Python that is found.
# A working environment is left as it is, a broken one is made anew.
set -eu

venv=$1
oldest='import sys; sys.exit(sys.version_info < (3, 11))'

if "$venv/bin/python" -c "$oldest" 2>/dev/null && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c "$oldest" 2>/dev/null; then
        rm -rf "$venv"
        if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
            # Debian splits ensurepip from python3 into python3-venv; the system's pip can stand in for it.
            "$python" -m venv --clear --without-pip "$venv"
            "$python" -m pip --python "$venv/bin/python" install --quiet pip || {
                echo "stackmentor: $python has no pip; install python3-venv or python3-pip" >&2
                exit 1
            }
        fi
        exit 0
    fi
done
echo "stackmentor: Python 3.11 or later is needed (set PYTHON=/path/to/python3)" >&2
exit 1
