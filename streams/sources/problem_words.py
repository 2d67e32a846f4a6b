"""The texts of every problem of a source topic: title, cause and remedy, for the log, `doctor` and the wall."""

from typing import Final, NamedTuple

from streams.kernels.counts.takeup import ACCEPTABLE, Blocked, Problem


class Words(NamedTuple):
    """A problem in few words, in Chinese and English, why it is one, and what to do; `{log}` stands for the log."""

    zh: str
    en: str
    why: str
    advice: str


_ACCEPT: Final = "`gatepulse logs accept-loss {place} --actor NAME --reason TEXT` goes on without them"
WORDS: Final[dict[Problem, Words]] = {
    Problem.RECORDS_DELETED: Words(
        "记录未读即被删除",
        "records deleted unread",
        "the brokers deleted records before they were counted, by retention or by hand",
        f"raise the topic's retention.ms; {_ACCEPT}",
    ),
    Problem.OFFSET_GAP: Words(
        "记录序列有缺口",
        "gap in the records",
        "offsets have no record: a producer writes in transactions, or the topic was compacted",
        f"let the producer write without transactions, and set cleanup.policy=delete; {_ACCEPT}",
    ),
    Problem.LOG_REPLACED: Words(
        "消息日志被替换",
        "the brokers' log was replaced",
        "what the brokers have is not what was counted: they came back from an older copy",
        f"find out which records are missing; {_ACCEPT}, reads what the brokers have, and counts each event once",
    ),
    Problem.STATE_LOST: Words(
        "计数状态丢失",
        "counting state lost",
        "neither a snapshot nor rows in the store are left, and the brokers no longer have the first records",
        f"restore the store or the changelog topics from a backup and start the workers again; otherwise {_ACCEPT}",
    ),
    Problem.STORE_UNKNOWN: Words(
        "等待数据库",
        "waiting for the store",
        "no snapshot is left, and the store does not say what was counted",
        "start the store; the workers go on by themselves",
    ),
    Problem.SNAPSHOTS_APART: Words(
        "快照分区不足",
        "snapshots lack partitions",
        "the topic of the snapshots has fewer partitions than the topic",
        "`gatepulse topics apply` adds them; the workers go on by themselves",
    ),
    Problem.TOPIC_MISSING: Words(
        "主题不存在",
        "topic is missing",
        "the brokers do not have the topic",
        "`gatepulse topics apply` creates it; what it had and was not counted is lost with it",
    ),
    Problem.COMPACTED: Words(
        "主题被压缩",
        "topic is compacted",
        "the brokers remove records of a compacted topic before they are counted",
        "set cleanup.policy=delete; the workers go on by themselves",
    ),
    Problem.PRODUCER_TIME: Words(
        "到达时间不可信",
        "arrival times are the senders'",
        "the topic says when a record was made, not when it arrived",
        "set message.timestamp.type=LogAppendTime",
    ),
    Problem.BROKER_CLOCK: Words(
        "服务器时钟错误",
        "the brokers' clock is wrong",
        "records arrive at times that the worker's clock contradicts",
        "set the clocks of brokers and workers by NTP; event times are compared with them",
    ),
    Problem.SNAPSHOT_UNREADABLE: Words(
        "快照无法读取",
        "snapshot cannot be read",
        "a snapshot is damaged, of another version, or our own code fails on it; what it had counted is counted again",
        "wait until that is done: each event counts once; if another version of gatepulse has written it, run that one",
    ),
}
"""Every problem, once."""


def names_of(problem: str) -> tuple[str, str]:
    """Return what a problem is called in Chinese and English; one that only another version knows by its own name."""
    words = WORDS.get(Problem(problem)) if problem in frozenset(Problem) else None
    return (problem, problem) if words is None else (words.zh, words.en)


def advice(blocked: Blocked) -> str:
    """Say what to do about a partition that is not read."""
    return WORDS[blocked.problem].advice.format(place=f"{blocked.log.topic} {blocked.log.partition}")


def sentence(problem: Problem, topic: str, partition: int, first: int, after: int) -> str:
    """Say which partition has which problem, which offsets it is about, and what to do."""
    words = WORDS[problem]
    where = topic if partition < 0 else f"{topic} {partition}"
    which = f" (offsets {first} to {after - 1})" if after > first and problem in ACCEPTABLE else ""
    return f"{where}: {words.why}{which}; {words.advice.format(place=where)}"
