"""What models trained on some labels find odd in these labels, and the labels without it."""

from quern.cleaning.page import page
from quern.cleaning.repair import read_proposals, repaired
from quern.cleaning.votes import Proposal, propose

__all__ = ["Proposal", "page", "propose", "read_proposals", "repaired"]
