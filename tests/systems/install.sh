#!/bin/sh
# Installs the real systems of the tests in .venvs, each in an environment of its own, and makes
# GNU Health's database once. Needs Python 3.11 or newer and the package index; no root, no compiler.
set -u
cd "$(dirname "$0")" && mkdir -p .venvs && cd .venvs || exit 1

# The stamp holds the pins: a change of them installs anew.
install_system() {
    pins=../constraints-$1.txt
    cmp -s "$pins" "$1/.installed" && return
    rm -rf "$1"
    "${PYTHON:-python3}" -m venv "$1" &&
        "$1/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$pins" &&
        cp "$pins" "$1/.installed"
}

# Tests copy this database: to make it takes up to a minute, to copy it nothing.
make_database() {
    [ -f gnuhealth/clinic/clinic.sqlite ] && return
    making=$PWD/gnuhealth/making
    rm -rf "$making" && mkdir "$making" && : >"$making/clinic.sqlite" || return
    # Basic authorization hashes the password with every call: once is enough for a test.
    printf '[passlib]\nschemes = pbkdf2_sha512\npbkdf2_sha512__rounds = 1\n' >"$making/passlib"
    printf '[database]\nuri = sqlite://\npath = %s\n[password]\npasslib = %s\n' \
        "$making" "$making/passlib" >"$making/trytond.conf"
    echo clinic-password >"$making/password"
    TRYTONPASSFILE=$making/password gnuhealth/bin/trytond-admin -c "$making/trytond.conf" \
        -d clinic --email ci@example.com -u health --activate-dependencies --all &&
        mv "$making" gnuhealth/clinic
}

install_system dbt || echo "dbt could not be installed: its tests are skipped." >&2
install_system radicale || echo "Radicale could not be installed: its tests are skipped." >&2
{ install_system gnuhealth && make_database; } ||
    echo "GNU Health could not be installed: its tests are skipped." >&2
