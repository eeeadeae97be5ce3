#!/bin/sh
# Installs what is missing for: build, run (the demo), test, bench, lint.
#
#   install-packages.sh build run test bench lint
#
# Debian and its kin through apt-get, Fedora and its kin through dnf; as root,
# or through sudo. Nothing is started: a service that a package brings stays
# as it was, and the system's configuration is not touched.
set -eu

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "install-packages.sh: packages are missing: be root, or have" \
            "sudo: $*" >&2
        exit 1
    fi
}

apt_packages() {
    case $1 in
    build) echo gcc make libc6-dev pkg-config apache2-dev libcap-dev ;;
    run) echo apache2 libapache2-mod-php python3 ;;
    test-unit) echo check python3-pytest perl ;;
    test) echo check curl python3-pytest perl debootstrap \
        debian-archive-keyring libapache2-mod-fcgid apache2-suexec-pristine \
        php-fpm libcap2-bin util-linux passwd procps nghttp2-client openssl ;;
    bench) echo apache2-utils apache2-suexec-pristine ;;
    lint) echo clang-format cppcheck ;;
    esac
}

dnf_packages() {
    case $1 in
    build) echo gcc make pkgconf-pkg-config httpd-devel libcap-devel \
        redhat-rpm-config ;;
    run) echo httpd mod_lua php python3 ;;
    test-unit) echo check-devel python3-pytest perl ;;
    test) echo check-devel curl python3-pytest perl mod_fcgid php-fpm libcap \
        util-linux shadow-utils procps-ng nghttp2 openssl ;;
    bench) echo httpd-tools glibc-static ;;
    lint) echo clang-tools-extra cppcheck ;;
    esac
}

apt_has() {
    dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'
}

dnf_has() {
    rpm -q --quiet "$1"
}

# Keeps packages from starting their services, where nothing keeps them yet.
apt_install() {
    policy=/usr/sbin/policy-rc.d
    made=
    if [ ! -e "$policy" ]; then
        made=$policy
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    status=0
    { as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
            --no-install-recommends "$@"; } >/dev/null || status=$?
    [ -z "$made" ] || as_root rm -f "$made"
    return $status
}

dnf_install() {
    as_root dnf install -y -q "$@"
}

if command -v apt-get >/dev/null; then
    kind=apt
elif command -v dnf >/dev/null; then
    kind=dnf
else
    echo "install-packages.sh: neither apt-get nor dnf is here; install by" \
        "hand: httpd with its development files, libcap, check, pytest" >&2
    exit 1
fi

missing=
for purpose in "$@"; do
    for package in $("${kind}_packages" "$purpose"); do
        "${kind}_has" "$package" || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0
echo "Installing:$missing"
# shellcheck disable=SC2086
"${kind}_install" $missing
