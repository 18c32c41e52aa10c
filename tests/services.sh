#!/bin/sh
# Installs what some tests need beside Python, where that is possible; says so where it is not.
set -eu
cd "$(dirname "$0")"

have_postgres() {
    command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

install_postgres() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "PostgreSQL is not installed: the tests that need it are skipped." >&2
        return
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends postgresql >/dev/null
}

install_axios() {
    if ! command -v npm >/dev/null 2>&1; then
        echo "Node.js is not installed: the vendor's axios example is not run." >&2
        return
    fi
    npm install --silent --no-package-lock --no-audit --no-fund --prefix sandbox/vendor_examples
}

install_faketime() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "libfaketime is not installed: the nights of daylight saving are only simulated." >&2
        return
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends libfaketime >/dev/null
}

have_postgres || install_postgres
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || install_faketime
[ -d sandbox/vendor_examples/node_modules ] || install_axios
sh systems/install.sh # a clinic's system and a calendar server
