"""The supervisor keeps services running, gives up on hopeless ones, and leaves nothing behind."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.process.supervisor import NEVER, RestartPolicy, Service, ServiceError, State, Supervisor, described
from tests.support.processes import SLEEPER, STUBBORN, alive, eventually, kill, python

QUICK = RestartPolicy(most=3, within=60, first_wait=0.02, longest_wait=0.05)
CRASHER = python("raise SystemExit('the disk of the moon is full')")


def has_begun(log: Path) -> Callable[[], bool]:
    """Return a health check: the program has printed that it is on."""
    return lambda: "on" in log.read_text()


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with Supervisor() as running:
        yield running


def test_a_started_service_runs_and_is_shown(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(Service("worker-1", SLEEPER, tmp_path / "log"))
    (status,) = supervisor.services()
    assert (status.name, status.state, status.restarts) == ("worker-1", State.RUNNING, 0)
    assert status.pid is not None
    assert alive(status.pid)


def test_a_killed_service_comes_back_as_a_new_process(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(Service("worker", SLEEPER, tmp_path / "log", restart=QUICK))
    first = supervisor.services()[0].pid
    assert first is not None
    kill(first)
    assert eventually(lambda: supervisor.services()[0].restarts == 1 and supervisor.services()[0].pid)
    assert supervisor.services()[0].pid != first


def test_start_returns_when_the_service_is_healthy(supervisor: Supervisor, tmp_path: Path) -> None:
    flag = tmp_path / "ready"
    program = python(f"import time; time.sleep(0.3); open({str(flag)!r}, 'w').close(); time.sleep(600)")
    supervisor.start(Service("slow", program, tmp_path / "log", healthy=flag.exists))
    assert flag.exists()
    assert supervisor.services()[0].state == State.RUNNING


def test_a_service_that_never_becomes_healthy_is_reported_with_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    talker = python("import time; print('still thinking', flush=True); time.sleep(600)")
    with pytest.raises(ServiceError, match=r"(?s)slow was not ready within 0\.5 s.*still thinking"):
        supervisor.start(Service("slow", talker, tmp_path / "log", healthy=lambda: False, ready_within=0.5))


def test_a_crash_loop_is_given_up_with_the_reason(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(Service("crasher", CRASHER, tmp_path / "log", restart=QUICK), ready=False)
    with pytest.raises(ServiceError) as caught:
        supervisor.wait(20)
    message = str(caught.value)
    assert "crasher ended for the 4th time within 60 s, the last time with exit code 1" in message
    assert "the disk of the moon is full" in message
    assert str(tmp_path / "log") in message
    assert supervisor.services()[0].state == State.FAILED
    assert supervisor.services()[0].restarts == 3


def test_restarts_long_ago_are_forgiven(supervisor: Supervisor, tmp_path: Path) -> None:
    policy = RestartPolicy(most=1, within=0.05, first_wait=0.02, longest_wait=0.02)
    program = python("import time; time.sleep(0.1); raise SystemExit(1)")
    supervisor.start(Service("now and then", program, tmp_path / "log", restart=policy), ready=False)
    assert supervisor.wait(20, until=lambda: supervisor.services()[0].restarts >= 3)


def test_a_service_that_must_not_be_restarted_is_given_up_at_once(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(Service("broker", SLEEPER, tmp_path / "log", restart=NEVER))
    pid = supervisor.services()[0].pid
    assert pid is not None
    kill(pid)
    with pytest.raises(ServiceError, match="broker ended by signal SIGKILL"):
        supervisor.wait(10)


def test_a_service_that_completes_is_not_restarted(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(Service("simulation", python("print('done')"), tmp_path / "log", completes=True))
    assert supervisor.wait(10, until=lambda: supervisor.services()[0].state == State.ENDED)
    status = supervisor.services()[0]
    assert (status.pid, status.restarts, status.exit_code) == (None, 0, 0)


def test_a_service_unhealthy_for_too_long_is_restarted(supervisor: Supervisor, tmp_path: Path) -> None:
    sick = tmp_path / "sick"
    supervisor.start(
        Service(
            "store", SLEEPER, tmp_path / "log", restart=QUICK,
            healthy=lambda: not sick.exists(), health_every=0.02, unhealthy_for=0.2,
        )
    )  # fmt: skip
    sick.touch()
    assert eventually(lambda: supervisor.services()[0].state == State.UNHEALTHY)
    assert eventually(lambda: supervisor.services()[0].restarts == 1)
    sick.unlink()
    assert eventually(lambda: supervisor.services()[0].state == State.RUNNING)


def test_the_command_may_be_made_anew_for_each_start(supervisor: Supervisor, tmp_path: Path) -> None:
    starts: list[int] = []

    def command() -> list[str]:
        starts.append(1)
        return python(f"import time; print('start {len(starts)}', flush=True); time.sleep(600)")

    supervisor.start(Service("worker", command, tmp_path / "log", restart=QUICK))
    pid = supervisor.services()[0].pid
    assert pid is not None
    assert eventually(lambda: "start 1" in (tmp_path / "log").read_text())
    kill(pid)
    assert eventually(lambda: "start 2" in (tmp_path / "log").read_text())


def test_stop_ends_all_in_reverse_order_within_the_deadline(tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    supervisor = Supervisor(stop_within=3)
    for name in ("first", "second"):
        program = python(
            "import signal, sys, time\n"
            f"def end(*_): open({str(ends)!r}, 'a').write('{name} '); sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, end); print('on', flush=True); time.sleep(600)"
        )
        log = tmp_path / name
        supervisor.start(Service(name, program, log, healthy=has_begun(log)))
    log = tmp_path / "stubborn"
    supervisor.start(Service("stubborn", STUBBORN, log, healthy=has_begun(log), stop_within=0.5))
    pids = [status.pid for status in supervisor.services()]
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 3
    assert ends.read_text() == "second first "
    assert not any(alive(pid) for pid in pids if pid is not None)
    assert {status.state for status in supervisor.services()} == {State.STOPPED}
    supervisor.stop()


def test_nothing_is_left_when_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from infra.process.supervisor import Service
from infra.process.supervisor import Supervisor
supervisor = Supervisor()
for name in ("a", "b"):
    supervisor.start(Service(name, {STUBBORN!r}, Path({str(tmp_path)!r}) / name))
print(*(status.pid for status in supervisor.services()), flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(alive, pids))
        kill(parent.pid)
        assert eventually(lambda: not any(map(alive, pids)))


def test_two_services_of_one_name_are_refused(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(Service("worker", SLEEPER, tmp_path / "log"))
    with pytest.raises(ServiceError, match="A service named worker is there already"):
        supervisor.start(Service("worker", SLEEPER, tmp_path / "log"))


def test_a_broken_health_check_is_an_error_and_not_a_silence(supervisor: Supervisor, tmp_path: Path) -> None:
    def broken() -> bool:
        raise KeyError("moon")

    with pytest.raises(ServiceError, match="moon"):
        supervisor.start(Service("worker", SLEEPER, tmp_path / "log", healthy=broken))


def test_waits_between_restarts_grow_to_a_limit() -> None:
    policy = RestartPolicy(most=5, within=60, first_wait=0.5, longest_wait=3)
    assert [policy.wait(recent) for recent in range(6)] == [0.5, 1.0, 2.0, 3.0, 3.0, None]


def test_exit_codes_are_described_in_words() -> None:
    assert described(1) == "with exit code 1"
    assert described(-9) == "by signal SIGKILL"
    assert described(-34) == "by signal 34" or described(-34).startswith("by signal SIG")
