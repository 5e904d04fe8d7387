"""Graphs in the forms of other programs."""

from quern.graphs.exports.forms import FORMS, Form, export
from quern.graphs.exports.kept import InMemory, Kept

__all__ = ["FORMS", "Form", "InMemory", "Kept", "export"]
