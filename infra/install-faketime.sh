#!/bin/sh
# Makes sure that the tests can set the clock of a process: does nothing where libfaketime is there, installs Debian's
# package where we may, and otherwise says what to install. Exit 1: it is missing still.
set -eu

there() {
    for library in "${FAKETIME_UNDER:-/usr/lib}"/*/faketime/libfaketimeMT.so.1; do
        [ -e "$library" ] && return 0
    done
    return 1
}

there && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing for the tests of clocks: faketime" >&2
    if apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends faketime >&2; then
        there && exit 0
    fi
fi

echo "The tests of clocks need: faketime
Debian, Ubuntu: sudo apt-get install faketime
时钟测试需要安装：faketime（Debian、Ubuntu：sudo apt-get install faketime）" >&2
exit 1
