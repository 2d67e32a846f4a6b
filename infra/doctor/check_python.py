# -*- coding: utf-8 -*-
"""Checks the Python before anything is installed, and names what is missing; make runs it with any python3.

It must be readable by Python 2.7 too, whose users need the sentence most: no annotations, no f-strings.
Exit 0: go on. Exit 2: the sentence is on stderr, in English and in Chinese.
"""
# Old Pythons must be able to read this file:
# ruff: noqa: ANN001, ANN201, ANN202, PTH109, UP009, UP010, UP030, UP032

from __future__ import unicode_literals

import os
import sys

NEEDED = (3, 11)
NEEDED_BYTES = 2 * 10**9


def missing(version, modules, free_bytes):
    # type: (tuple[int, int], tuple[str, ...], int) -> tuple[str, str] | None
    """Return the first thing that is missing, in English and Chinese, or None.

    `version` is (major, minor), `modules` those of venv and ensurepip that can be imported, `free_bytes` the room
    where the virtual environment will be.
    """
    if version < NEEDED:
        return _old(version)
    for module in ("venv", "ensurepip"):
        if module not in modules:
            return _incomplete(version, module)
    if free_bytes < NEEDED_BYTES:
        return _full(free_bytes)
    return None


def _old(version):
    # type: (tuple[int, int]) -> tuple[str, str]
    found = "{0}.{1}".format(*version)
    return (
        "gatepulse needs Python 3.11 or newer, and this one is {0}: install a newer Python "
        "(Debian 12, Ubuntu 24.04: apt install python3 python3-venv) and name it: make demo PYTHON=python3.11".format(
            found
        ),
        "gatepulse 需要 Python 3.11 或更高版本，当前是 {0}：请安装新版 Python"
        "（Debian 12、Ubuntu 24.04：apt install python3 python3-venv），然后运行：make demo PYTHON=python3.11".format(
            found
        ),
    )


def _incomplete(version, module):
    # type: (tuple[int, int], str) -> tuple[str, str]
    package = "python{0}.{1}-venv".format(*version)
    return (
        "This Python has no module {0}, so no virtual environment can be made: install it "
        "(Debian, Ubuntu: apt install {1}) and run make again.".format(module, package),
        "当前 Python 缺少模块 {0}，无法创建虚拟环境：请先安装（Debian、Ubuntu：apt install {1}），再运行 make。".format(
            module, package
        ),
    )


def _full(free_bytes):
    # type: (int) -> tuple[str, str]
    free = "{0:.1f}".format(free_bytes / 1e9)
    return (
        "Only {0} GB are free in {1}, and gatepulse with its libraries needs 2 GB: make room, or move this folder "
        "to another disk.".format(free, os.getcwd()),
        "{1} 所在磁盘仅剩 {0} GB，gatepulse 及其依赖需要 2 GB：请清理空间，或将本文件夹移到其他磁盘。".format(
            free, os.getcwd()
        ),
    )


def importable():
    # type: () -> tuple[str, ...]
    """Return which of the needed modules this Python has."""
    found = []
    for module in ("venv", "ensurepip"):
        try:
            __import__(module)
        except ImportError:
            continue
        found.append(module)
    return tuple(found)


def main():
    # type: () -> None
    """Check this Python, this folder; exit 2 with the sentence if something is missing."""
    disk = os.statvfs(".")
    sentences = missing(sys.version_info[:2], importable(), disk.f_bavail * disk.f_frsize)
    if sentences is None:
        return
    # Bytes, because an old Python's stderr may not know Chinese.
    os.write(2, ("\n".join(sentences) + "\n").encode("utf-8"))
    sys.exit(2)


if __name__ == "__main__":
    main()
