"""What audits make of a verdict: a warning more, or no ranking at all."""

from collections.abc import Sequence
from dataclasses import replace

from ravine.analysis.audits import Audit
from ravine.analysis.results import REFERENCE, UNRANKED, RuleResult, Verdict


def audited(verdict: Verdict, audits: Sequence[Audit]) -> Verdict:
    """The verdict with what was audited; where one refuses, nothing is claimed of any rule.

    What was measured stays, in the order of the rules' names; who leads, and where, does not.
    """
    warned = [line for a in audits if a.result == "warning" for line in a.wrong]
    verdict = replace(verdict, audits=tuple(audits), warnings=(*warned, *verdict.warnings))
    reasons = [a.refuses for a in audits if a.refuses]
    if not reasons:
        return verdict
    return replace(
        verdict,
        sentence=f"No ranking, since this was not a fair race: {'; '.join(reasons)}.",
        standings=tuple(sorted(map(_unranked, verdict.standings), key=lambda s: s.rule)),
        leads_by_target=(),
        leads_by_tries=(),
        suspects=(),
        alone={},
        ends_lower={},
        to_take="",
        in_seconds="",
    )


def _unranked(standing: RuleResult) -> RuleResult:
    finding = standing.finding if standing.finding == REFERENCE else UNRANKED
    return replace(standing, finding=finding, tied_for_first=False)
