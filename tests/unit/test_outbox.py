"""The outbox's own rules: how long to wait, what proves a delivery, what a message may be."""

from __future__ import annotations

import random
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.messages import Message, filled, to_subject
from domain.kernel.subjects import Subject
from infra.outbox.delivery import DeliveryError, Outgoing, delivery, pause_s
from infra.outbox.gateway import signature
from infra.outbox.mail import Mail
from infra.settings import Settings

PERSON = Subject(uuid4(), 1)


@given(st.integers(1, 200), st.floats(0.01, 60), st.floats(60, 3600), st.integers())
def test_the_pause_doubles_to_a_limit_and_half_of_it_is_chance(
    attempt: int, first: float, longest: float, seed: int
) -> None:
    whole = min(longest, first * 2 ** min(attempt - 1, 30))
    assert whole / 2 <= pause_s(attempt, first, longest, random.Random(seed)) <= whole


def test_what_failed_together_is_not_tried_together() -> None:
    rng = random.Random(225)
    assert len({pause_s(3, 5, 900, rng) for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("receipt", "status"),
    [(None, "accepted"), ("", "accepted"), ("r-1", None), ("r-1", 7), ("a b", "accepted"), ("r" * 65, "accepted")],
)
def test_an_answer_without_a_receipt_proves_nothing(receipt: object, status: object) -> None:
    with pytest.raises(DeliveryError, match="no-receipt"):
        delivery(receipt, status, b"")


def test_a_receipt_that_looks_like_a_persons_number_is_replaced_by_the_answers_digest() -> None:
    assert delivery("r-1", "accepted", b"yes").receipt == "r-1"
    for number in ("13812345678", "433101199001011234"):
        assert number not in delivery(number, "accepted", number.encode()).receipt


def test_the_signature_is_over_time_and_body() -> None:
    signed = signature("secret", "1700000000", b"{}")
    # openssl dgst -sha256 -hmac secret <<< the same bytes
    assert signed == "sha256=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
    assert len({signed, signature("secret", "1700000001", b"{}"), signature("secret", "1700000000", b"{ }")}) == 3
    assert signature("other", "1700000000", b"{}") != signed


def test_a_message_is_for_many_or_for_one_person() -> None:
    assert to_subject("personal-note", "sms", "进度", "已修复", PERSON).to == PERSON
    for audience, to in (((), None), (("zhenxi",), PERSON)):
        with pytest.raises(ValueError, match="either"):
            Message("outage-notice", "sms", "停水", "停水", audience, to)


def test_a_word_that_stands_for_nothing_stays_as_it_is() -> None:
    assert filled("{number}在{where}", {"number": "TS-1"}) == "TS-1在{where}"


def test_an_address_with_a_line_break_begins_no_header() -> None:
    settings = Settings(smtp_host="127.0.0.1", smtp_port=1, smtp_from="water@example.org")
    message = Outgoing(uuid4(), "k", "email", "标题", "正文", "d", (), {"email": "a@example.org\nBcc: b@example.org"})
    with pytest.raises(DeliveryError, match="bad-address") as refused:
        Mail(settings).deliver(message)
    assert refused.value.permanent


def test_secrets_are_not_shown_with_the_settings() -> None:
    shown = repr(Settings(gateway_secret="s3cret-1", smtp_password="s3cret-2"))
    assert "s3cret" not in shown


def test_a_lease_outlasts_every_attempt() -> None:
    assert Settings(gateway_timeout_s=15).outbox_lease_s > 10 * 15
