#!/bin/sh
# Brings the peers of the comparison into a cache directory: $STACKMENTOR_BENCH_CACHE, else /var/tmp/stackmentor-bench.
# Nothing is installed in the system and no service is made: RabbitMQ and Erlang are unpacked from Debian's packages.
# Needs python3 with venv, npm, and Debian's apt-get and dpkg.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${STACKMENTOR_BENCH_CACHE:-/var/tmp/stackmentor-bench}
erlang_packages='erlang-base erlang-asn1 erlang-crypto erlang-eldap erlang-inets erlang-mnesia erlang-os-mon
    erlang-parsetools erlang-public-key erlang-runtime-tools erlang-ssl erlang-syntax-tools erlang-tools erlang-xmerl'
rabbitmq_version='3.10.*'

for tool in "${PYTHON:-python3}" npm apt-get dpkg; do
    command -v "$tool" >/dev/null || { echo "setup.sh: $tool is missing" >&2; exit 1; }
done

wanted=$(cat "$here/setup.sh" "$here/requirements.lock" "$here/package-lock.json" | sha256sum)
if [ "$(cat "$cache/done" 2>/dev/null || true)" = "$wanted" ]; then
    exit 0
fi
rm -rf "$cache/done" "$cache/python" "$cache/node" "$cache/rabbitmq"
mkdir -p "$cache/node" "$cache/rabbitmq/packages"

"${PYTHON:-python3}" -m venv "$cache/python"
"$cache/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$here/requirements.lock"

cp "$here/package.json" "$here/package-lock.json" "$cache/node/"
(cd "$cache/node" && npm ci --silent --ignore-scripts)

[ -n "$(apt-cache madison rabbitmq-server)" ] || apt-get update --quiet=2
cd "$cache/rabbitmq/packages"
# shellcheck disable=SC2086  # a list of packages
apt-get download --quiet=2 "rabbitmq-server=$rabbitmq_version" $erlang_packages
for package in *.deb; do
    dpkg -x "$package" "$cache/rabbitmq/root"
done
rm -r "$cache/rabbitmq/packages"
# Debian's script knows one place only.
sed -i "s#ROOTDIR=/usr/lib/erlang\$#ROOTDIR=$cache/rabbitmq/root/usr/lib/erlang#" "$cache/rabbitmq/root/usr/lib/erlang/bin/erl"

printf '%s\n' "$wanted" >"$cache/done"
