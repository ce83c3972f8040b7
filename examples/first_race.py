"""A first race: plain gradient descent against Adam, on real handwritten digits; some 10 s."""

import ravine

race = ravine.race(
    "digits-mlp",
    rules=["sgd", "adam"],
    learning_rates="1e-3:1:4",  # a real race tries nine, on two seeds, and judges on up to twelve
    tuning_seeds=1,
    eval_seeds=2,
    epochs=3,
    progress=False,
)
print(race.verdict)
print(race.leaderboard[["rule", "learning_rate", "speedup", "final_accuracy"]])
print(race.code["keras"])  # the line to paste; there are "torch" and "optax" too
print("more in", race.folder / "report.html")
