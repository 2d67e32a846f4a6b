#!/bin/sh
# Makes sure that the browser tests find Chromium and Chinese letters: does nothing where both are there, installs
# Debian's packages where we may, and otherwise says what to install. Exit 1: something is missing still.
set -eu

browser() {
    command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
        command -v google-chrome >/dev/null 2>&1
}

chinese() {
    command -v fc-list >/dev/null 2>&1 && [ -n "$(fc-list :lang=zh-cn family 2>/dev/null)" ]
}

missing() {
    browser || printf 'chromium '
    chinese || printf 'fonts-noto-cjk fontconfig '
}

packages=$(missing)
[ -z "$packages" ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing for the browser tests: $packages" >&2
    # shellcheck disable=SC2086 # the names are meant to be split
    if apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2; then
        [ -z "$(missing)" ] && exit 0
    fi
fi

echo "The browser tests need: $packages
Debian, Ubuntu: sudo apt-get install $packages
浏览器测试需要安装：$packages（Debian、Ubuntu：sudo apt-get install $packages）" >&2
exit 1
