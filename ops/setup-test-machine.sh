#!/bin/sh
# Installs what the tests need beside Python: a browser, Node.js for the JavaScript clients, a C compiler for the
# benchmarks' meter, ip to part nodes from each other, a system's PostgreSQL to test the way without the wheel. Does
# nothing when all is there; fails, naming the pieces, when it cannot install.
set -eu

has_postgres() {
    command -v postgres >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1
}

missing() {
    command -v chromium >/dev/null 2>&1 || printf 'chromium '
    command -v node >/dev/null 2>&1 || printf 'nodejs '
    command -v npm >/dev/null 2>&1 || printf 'npm '
    command -v git >/dev/null 2>&1 || printf 'git '
    command -v cc >/dev/null 2>&1 || printf 'gcc libc6-dev '
    command -v ip >/dev/null 2>&1 || printf 'iproute2 '
    has_postgres || printf 'postgresql '
    "${PYTHON:-python3}" -c 'import ensurepip' >/dev/null 2>&1 || printf 'python3-venv '
}

packages=$(missing)
[ -z "$packages" ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=''
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    echo "setup-test-machine: missing: $packages- and neither root nor sudo to install it" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup-test-machine: missing: $packages- and no apt-get to install it" >&2
    exit 1
fi

echo "setup-test-machine: installing $packages" >&2
$as_root apt-get -o Acquire::Retries=3 update >&2
# shellcheck disable=SC2086  # a list of packages
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 install --yes --no-install-recommends $packages >&2

packages=$(missing)
if [ -n "$packages" ]; then
    echo "setup-test-machine: still missing after the installation: $packages" >&2
    exit 1
fi
