"""Every malformed line is rejected by the codec for exactly the reason that its maker expects."""

import numpy as np
import pytest

from simulators.distortion.malformed import kinds, make_malformed
from streams.contract.codec import PassageCodec, Records
from streams.contract.events import Reason
from streams.contract.vocabulary import Vocabulary
from streams.text import KINDS, Kind
from tests.support.small_day import expo


def codec(kind: Kind) -> PassageCodec:
    site = expo()
    return PassageCodec(
        kind,
        Vocabulary(
            entrances={each.id: each.kind for each in site.entrances},
            categories={kind: [each.id for each in site.categories_of(kind)] for kind in KINDS},
            areas={area.id: area.kinds for area in site.areas},
        ),
    )


@pytest.mark.parametrize("entrance", ["N1", "H3A", "V2"])
@pytest.mark.parametrize("kind", kinds())
def test_the_codec_rejects_it_for_the_expected_reason(kind: str, entrance: str) -> None:
    bad = make_malformed(kind, 7, expo(), entrance)
    one = np.zeros(1, np.int64)
    batch = codec(expo().entrance(entrance).kind).read(Records(bad.line, one, one, one + 1))
    assert [each.reason for each in batch.rejections] == [bad.reason]
    assert [each.sha256 for each in batch.rejections] == [bad.sha256]
    assert b"\n" not in bad.line


def test_every_reason_that_a_single_line_can_give_is_tried() -> None:
    reasons = {make_malformed(kind, 0, expo(), "N1").reason for kind in kinds()}
    # Passages have no area. Whether a time is believed, a device is one too many, or a number too old, depends on what
    # else has come; and no line is known on which our own code fails.
    others = {Reason.UNKNOWN_AREA, Reason.SUSPECT_TIME, Reason.TOO_MANY_DEVICES, Reason.NUMBER_TOO_OLD}
    others |= {Reason.TOO_MANY_CORRECTIONS, Reason.UNPROCESSABLE}
    assert reasons == {reason.value for reason in Reason} - {reason.value for reason in others}


def test_no_two_lines_are_alike() -> None:
    lines = {make_malformed(kind, serial, expo(), "N1").line for kind in kinds() for serial in range(20)}
    assert len(lines) == 20 * len(kinds())
