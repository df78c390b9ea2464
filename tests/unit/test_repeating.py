"""Work that is done again and again goes on after it failed, ends with the body, and its log quotes nothing."""

from __future__ import annotations

import logging
import threading

import pytest

from infra.repeating import repeating


def test_work_that_fails_is_tried_again_and_its_words_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    done, tries = threading.Event(), list[int]()

    def work() -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ValueError("Key (phone)=(13812345678)")
        done.set()

    with caplog.at_level(logging.WARNING), repeating("a-work", work, 0.01):
        assert done.wait(20)
    assert caplog.messages == ["a-work: not done now: ValueError"]
    assert "a-work" not in {thread.name for thread in threading.enumerate()}


def test_work_is_done_once_before_the_first_pause() -> None:
    done = threading.Event()
    with repeating("a-work", done.set, 3600):
        assert done.wait(20)
