"""What a FAQ says."""

from __future__ import annotations

import msgspec


class FaqAnswer(msgspec.Struct, frozen=True):
    """An answer to a question.

    Attributes:
        id: of the answer.
        answer: its words.
        question: the phrasing that is most like the question.
        score: the cosine of the two.
        probability: that it is right; None where the FAQ was not tuned.
    """

    id: str
    answer: str
    question: str
    score: float
    probability: float | None = None


class FaqReply(msgspec.Struct, frozen=True):
    """What a FAQ says to a question.

    Attributes:
        question: its words.
        answered: whether the best answer reaches the threshold.
        ties: how many of the other answers shown are nearly as good as the best.
        answers: the best first, each once; where not answered, what came nearest.
    """

    question: str
    answered: bool
    ties: int
    answers: tuple[FaqAnswer, ...]
