"""The line to paste builds the optimizer that was raced."""

from dataclasses import replace

from ravine.analysis.results import FASTER, NO_DIFFERENCE
from ravine.frameworks.translate import read
from ravine.reporting import snippets


def test_the_line_reads_back_as_what_was_raced(results):
    sgd = next(s for s in results.verdict.standings if s.rule == "sgd")
    lines = {line.framework: line for line in snippets.lines(results.plan, sgd)}
    assert list(lines) == ["Keras", "PyTorch", "Optax"]
    for line in lines.values():
        rule = read(line.text)[1]
        assert not line.ours
        assert (rule.name, rule.learning_rate) == ("sgd", sgd.learning_rate)


def test_searched_hyperparameters_and_schedules_are_in_it(results):
    adam = next(s for s in results.verdict.standings if s.rule == "adam")
    found = {"learning_rate": 1.0, "beta_2": 0.97}
    searched = replace(adam, hyperparameters=found)
    assert all("0.97" in line.text for line in snippets.lines(results.plan, searched))
    cosine = replace(results.plan, choices=replace(results.plan.choices, schedule="cosine"))
    lines = {line.to: line for line in snippets.lines(cosine, adam)}
    for to, schedule in {
        "keras": "keras.optimizers.schedules.CosineDecay",
        "optax": "optax.cosine_decay_schedule",
        "torch": "torch.optim.lr_scheduler.CosineAnnealingLR",
    }.items():
        assert not lines[to].ours
        assert schedule in lines[to].text
        assert str(cosine.steps) in lines[to].text
    nesterov = replace(adam, rule="nesterov", hyperparameters={"learning_rate": 1.0})
    for line in snippets.lines(cosine, nesterov):  # which no native walks where its rate changes
        assert line.ours
        assert f"Scheduled(ravine.Nesterov(learning_rate=0.1), steps={cosine.steps}" in line.text


def test_a_rule_of_ones_own_is_named(results):
    own = next(s for s in results.verdict.standings if s.rule.startswith("mine"))
    assert all(line.ours and "mine" in line.text for line in snippets.lines(results.plan, own))


def test_what_is_not_shown_to_be_faster_is_pasted_with_doubt(results):
    adam = next(s for s in results.verdict.standings if s.rule == "adam")
    assert snippets.doubt(replace(adam, finding=FASTER)) == ""
    said = snippets.doubt(replace(adam, finding=NO_DIFFERENCE, diverged=3, runs=12))
    assert "not shown to be faster" in said
    assert said.endswith("diverged in 3 of 12 runs")
    assert said in snippets.heading(snippets.lines(results.plan, adam), said)
