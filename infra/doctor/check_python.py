# -*- coding: utf-8 -*-
"""Checks the Python before anything is installed, and names what is missing; make runs it with any python3.

It must be readable by Python 2.7 too, whose users need the sentence most: no annotations, no f-strings.
Exit 0: go on. Exit 2: the sentence is on stderr, in English and in Chinese.
"""
# Old Pythons must be able to read this file:
# ruff: noqa: ANN001, ANN201, PTH109, UP009, UP010, UP030

from __future__ import unicode_literals

import os
import sys

NEEDED = (3, 11)
NEEDED_BYTES = 2 * 10**9


_OLD = (
    "gatepulse needs Python 3.11 or newer, and this one is {found}: install a newer Python "
    "(Debian 12, Ubuntu 24.04: apt install python3 python3-venv) and name it: make demo PYTHON=python3.11\n"
    "gatepulse 需要 Python 3.11 或更高版本，当前是 {found}：请安装新版 Python"
    "（Debian 12、Ubuntu 24.04：apt install python3 python3-venv），然后运行：make demo PYTHON=python3.11"
)
_INCOMPLETE = (
    "This Python has no module {module}, so no virtual environment can be made: install it "
    "(Debian, Ubuntu: apt install python{found}-venv) and run make again.\n"
    "当前 Python 缺少模块 {module}，无法创建虚拟环境："
    "请先安装（Debian、Ubuntu：apt install python{found}-venv），再运行 make。"
)
_FULL = (
    "Only {free:.1f} GB are free in {folder}, and gatepulse with its libraries needs 2 GB: make room, or move this "
    "folder to another disk.\n"
    "{folder} 所在磁盘仅剩 {free:.1f} GB，gatepulse 及其依赖需要 2 GB：请清理空间，或将本文件夹移到其他磁盘。"
)


def missing(version, modules, free_bytes):
    # type: (tuple[int, int], tuple[str, ...], int) -> str | None
    """Return the first thing that is missing, a line in English and one in Chinese, or None.

    `version` is (major, minor), `modules` those of venv and ensurepip that can be imported, `free_bytes` the room
    where the virtual environment will be.
    """
    found = "{0}.{1}".format(*version)
    if version < NEEDED:
        return _OLD.format(found=found)
    for module in ("venv", "ensurepip"):
        if module not in modules:
            return _INCOMPLETE.format(module=module, found=found)
    if free_bytes < NEEDED_BYTES:
        return _FULL.format(free=free_bytes / 1e9, folder=os.getcwd())
    return None


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
    """Check this Python, this folder; exit 2 with the sentences if something is missing."""
    disk = os.statvfs(".")
    sentences = missing(sys.version_info[:2], importable(), disk.f_bavail * disk.f_frsize)
    if sentences is not None:
        # Bytes, because an old Python's stderr may not know Chinese.
        os.write(2, (sentences + "\n").encode("utf-8"))
        sys.exit(2)


if __name__ == "__main__":
    main()
