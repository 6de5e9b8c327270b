"""Ids hide a sequence and give it back; their order as texts means nothing."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from reconcile.sandbox.world.ids import id_key, id_of, sequence_of

KEY = id_key(1, "klarna_payments")


@given(st.integers(0, 2**58 - 1), st.integers(0, 2**32))
def test_an_id_gives_its_sequence_back(sequence: int, seed: int) -> None:
    key = id_key(seed, "orders")
    text = id_of(key, sequence)

    assert sequence_of(key, text) == sequence
    assert len(text) == 10
    assert text.isalnum()
    assert text.isascii()


def test_ids_are_in_no_order() -> None:
    ids = [id_of(KEY, sequence) for sequence in range(1, 2001)]
    rising = sum(earlier < later for earlier, later in itertools.pairwise(ids))

    assert 800 < rising < 1200
    assert len(set(ids)) == len(ids)


def test_the_same_sequence_has_another_id_in_another_resource() -> None:
    assert id_of(KEY, 1) != id_of(id_key(1, "orders"), 1)
    assert id_of(KEY, 1) != id_of(id_key(2, "klarna_payments"), 1)


def test_a_text_that_is_no_id_hides_nothing() -> None:
    for text in ("", "short", "elevenchars", "with-dash!", "ÄÄÄÄÄÄÄÄÄÄ"):
        assert sequence_of(KEY, text) is None
