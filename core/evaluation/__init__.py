"""What a bundle is worth: against the truth where it is known, and without it."""

from .ablations import VARIANTS, score_ablation, train_ablations
from .blind_score import LabelReader, judge_of, rank_agreement, score_without_truth
from .cautions import cautions
from .derivatives import Slopes, reference_slopes, verdicts
from .gap import Transfer, transfer
from .hidden_lines import (
    TEST_SEED,
    attribute,
    derivative_r_squared,
    element_correlations,
    r_squared,
    score_hidden_lines,
    weak_elements,
)
from .label_fidelity import LabelFidelity, label_fidelity
from .label_fit import LabelPrior, fit_labels
from .leakage import label_r_squared, split_leakage
from .member_subsets import quartets
from .mixing import domain_purity, mixing, two_sample_test
from .reconstruction import reconstruction_errors
from .report import about, evaluate_bundle, evaluate_model, without_plots
from .round_trips import Passages, common_space, make_passages

__all__ = [
    "TEST_SEED",
    "VARIANTS",
    "LabelFidelity",
    "LabelPrior",
    "LabelReader",
    "Passages",
    "Slopes",
    "Transfer",
    "about",
    "attribute",
    "cautions",
    "common_space",
    "derivative_r_squared",
    "domain_purity",
    "element_correlations",
    "evaluate_bundle",
    "evaluate_model",
    "fit_labels",
    "judge_of",
    "label_fidelity",
    "label_r_squared",
    "make_passages",
    "mixing",
    "quartets",
    "r_squared",
    "rank_agreement",
    "reconstruction_errors",
    "reference_slopes",
    "score_ablation",
    "score_hidden_lines",
    "score_without_truth",
    "split_leakage",
    "train_ablations",
    "transfer",
    "two_sample_test",
    "verdicts",
    "weak_elements",
    "without_plots",
]
