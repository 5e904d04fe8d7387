"""FAQ: questions of any words, and the answer that is for them, or none."""

from quern.faq.faq import Faq
from quern.faq.replies import FaqAnswer, FaqReply
from quern.faq.tuning import Tuned

__all__ = ["Faq", "FaqAnswer", "FaqReply", "Tuned"]
