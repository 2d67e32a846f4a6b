#!/bin/sh
# Makes sure that Prometheus, Alertmanager and their tools are there: does nothing where they are, installs Debian's
# packages where we may (without letting them start as services: ours bind to loopback only, theirs to all addresses),
# and otherwise says what to install. Exit 1: something is missing still.
set -eu

policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}

there() {
    command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1 &&
        command -v amtool >/dev/null 2>&1 &&
        { command -v prometheus-alertmanager >/dev/null 2>&1 || command -v alertmanager >/dev/null 2>&1; }
}

there && exit 0

# Debian's way to say that no service is to be started; one that is there already is left as it is.
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing for the delivery of alarms: prometheus prometheus-alertmanager" >&2
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT INT TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    if apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager >&2; then
        # Nor at the next start of the machine.
        if command -v systemctl >/dev/null 2>&1; then
            systemctl disable prometheus prometheus-alertmanager >/dev/null 2>&1 || true
        fi
        there && exit 0
    fi
fi

echo "The delivery of alarms needs: prometheus prometheus-alertmanager
Debian, Ubuntu: sudo apt-get install prometheus prometheus-alertmanager
(they start as services on all addresses; sudo systemctl disable --now prometheus prometheus-alertmanager)
告警推送需要安装：prometheus prometheus-alertmanager（Debian、Ubuntu：sudo apt-get install prometheus prometheus-alertmanager）" >&2
exit 1
