"""How good a triple model is on labelled texts, and the thresholds that suit it best."""

from quern.evaluation.calibrating import calibrate, fit_scaling, recalibrate
from quern.evaluation.judging import Comparison, Fact, Judged, comparable, judge, score
from quern.evaluation.report import report
from quern.evaluation.summary import Evaluation, summarise
from quern.evaluation.tuning import tune

__all__ = [
    "Comparison",
    "Evaluation",
    "Fact",
    "Judged",
    "calibrate",
    "comparable",
    "fit_scaling",
    "judge",
    "recalibrate",
    "report",
    "score",
    "summarise",
    "tune",
]
