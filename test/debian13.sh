#!/bin/sh
# Builds the module in a Debian 13 tree, and runs there the unit tests and the
# live tests of files, CGI, Lua and mod_php (of PHP 8.4).
#
# The tree is made once, in build/debian13 (DEBIAN13_TREE= for elsewhere), from
# the machine's own Debian package source. Exits 77 where there is none.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
tree=${DEBIAN13_TREE:-$top/build/debian13}
suite=trixie

source_uri() {
    command -v apt-get >/dev/null || return 0
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
        'Origin: Debian' 'Label: Debian' | sort -u | head -n 1
}

make_tree() {
    uri=$(source_uri)
    if [ -z "$uri" ]; then
        echo "no Debian package source here"
        exit 77
    fi
    rm -rf "$tree"
    mkdir -p "$tree"
    debootstrap --variant=minbase "$suite" "$tree" "$uri" >"$tree.log" 2>&1 ||
        { tail -n 5 "$tree.log"; exit 1; }
    cp -a /etc/apt/apt.conf.d/. "$tree/etc/apt/apt.conf.d/"
    [ ! -e /etc/apt/apt.conf ] || cp /etc/apt/apt.conf "$tree/etc/apt/"
    cp /etc/resolv.conf "$tree/etc/resolv.conf" 2>/dev/null || true
    touch "$tree/.complete"
}

leave() {
    umount "$tree/proc" 2>/dev/null || true
}

[ -e "$tree/.complete" ] || make_tree
trap leave EXIT
trap 'exit 1' INT TERM
mountpoint -q "$tree/proc" || mount -t proc proc "$tree/proc"

rm -rf "$tree/src"
mkdir -p "$tree/src"
tar -C "$top" --exclude=./build --exclude=./.git --exclude='*.so' -cf - . |
    tar -C "$tree/src" -xf -
inside() {
    chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LC_ALL=C.UTF-8 CI="${CI:-}" \
        PS_MUST_RUN="${PS_MUST_RUN:-}" CHECK_PART=debian13 "$@"
}
inside /src/test/install-packages.sh build run test-unit
inside make -s -C /src check-debian13
