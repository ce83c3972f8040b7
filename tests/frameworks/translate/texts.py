"""Lines of code that use every argument of every native, at a value that is felt.

Most numbers have few binary digits: TensorFlow takes constants through float32, and 0.9 would be
another number there. An epsilon of 0.5 is felt wherever it stands. Keras's texts begin with the
backend on which each is tried: every optimizer on several, and norms where they are in float64.
"""

_FELT = {
    "keras.optimizers": """
        tf SGD(learning_rate=0.0625)
        jax SGD(0.0625, 0.875)
        torch SGD(learning_rate=0.0625, momentum=0.875, nesterov=True)
        tf SGD(0.0625, momentum=0.75, weight_decay=0.125)
        jax SGD(0.0625, 0.75, True, weight_decay=0.125, clipnorm=0.5)
        torch RMSprop(0.03125, rho=0.875, epsilon=0.5)
        tf RMSprop(0.03125, 0.875, 0.75, 0.0625)
        jax RMSprop(learning_rate=0.03125, rho=0.75, epsilon=0.125, centered=True)
        torch RMSprop(0.03125, 0.75, 0.5, 0.125, True, weight_decay=0.125, clipvalue=0.25)
        tf Adagrad(0.125, 0.0625, 0.0625)
        torch Adagrad(0.125, initial_accumulator_value=0.5, epsilon=0.5)
        jax Adagrad(0.125, 0.25, 0.25, weight_decay=0.0625, global_clipnorm=1.0)
        tf Adam(0.03125, beta_1=0.875, beta_2=0.9375, epsilon=0.5)
        jax Adam(0.03125, 0.875, 0.9375, 0.0625, amsgrad=True)
        torch Adam(0.03125, 0.875, 0.9375, epsilon=0.125, weight_decay=0.125)
        tf Adam(0.03125, 0.875, 0.9375, epsilon=0.125, clipnorm=0.25)
        torch Adam(0.03125, 0.875, 0.9375, epsilon=0.125, clipvalue=0.125)
        jax Adam(0.03125, 0.875, 0.9375, epsilon=0.125, global_clipnorm=0.5)
        torch AdamW(0.03125, 0.25, 0.875, 0.9375, 0.125)
        tf AdamW(0.03125, weight_decay=0.5, beta_1=0.875, beta_2=0.9375, amsgrad=True, clipnorm=0.5)
        tf Nadam(0.03125, beta_1=0.875, beta_2=0.9375, epsilon=0.5)
        jax Nadam(0.03125, 0.875, 0.9375, 0.125, weight_decay=0.125, global_clipnorm=1.0)
    """,
    "torch.optim": """
        SGD(params, lr=0.05)
        SGD(params, 0.05, 0.8)
        SGD(params, lr=0.05, momentum=0.8, dampening=0.3)
        SGD(params, 0.05, 0.8, weight_decay=0.1)
        SGD(params, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.1)
        RMSprop(params, lr=0.02, alpha=0.8, eps=0.5)
        RMSprop(params, 0.02, 0.8, 0.1, weight_decay=0.1)
        RMSprop(params, 0.02, 0.8, 0.1, momentum=0.7)
        RMSprop(params, 0.02, 0.8, eps=0.3, centered=True)
        RMSprop(params, lr=0.02, alpha=0.8, eps=0.3, centered=True, momentum=0.7, weight_decay=0.1)
        Adagrad(params, lr=0.1, eps=0.1)
        Adagrad(params, lr=0.1, initial_accumulator_value=0.2, eps=0.5, weight_decay=0.1)
        Adam(params, 0.02, (0.8, 0.95), 0.5)
        Adam(params, lr=0.02, betas=(0.8, 0.95), eps=0.1, weight_decay=0.1)
        Adam(params, 0.02, (0.8, 0.95), 0.1, weight_decay=0.3, decoupled_weight_decay=True)
        Adam(params, 0.02, [0.8, 0.95], eps=0.1, amsgrad=True)
        AdamW(params, lr=0.02, betas=(0.8, 0.95), eps=0.1, weight_decay=0.2)
        AdamW(params, 0.02, (0.8, 0.95), 0.1, weight_decay=0.1, amsgrad=True)
        NAdam(params, lr=0.02, betas=(0.8, 0.95), eps=0.5)
        NAdam(params, 0.02, (0.8, 0.95), 0.1, 0.1, momentum_decay=0.05)
        NAdam(params, 0.02, (0.8, 0.95), 0.1, weight_decay=0.1, decoupled_weight_decay=True)
    """,
    "optax": """
        sgd(0.05)
        sgd(learning_rate=0.05, momentum=0.8)
        sgd(0.05, 0.8, True)
        adagrad(0.1, eps=0.1)
        adagrad(0.1, initial_accumulator_value=0.2, eps=0.5)
        rmsprop(0.02, decay=0.8, eps=0.5)
        rmsprop(0.02, 0.8, 0.1, initial_scale=0.7, eps_in_sqrt=False)
        rmsprop(0.02, 0.8, 0.1, centered=True)
        rmsprop(0.02, 0.8, 0.1, 0.5, False, True, 0.7)
        rmsprop(0.02, 0.8, 0.1, momentum=0.7, nesterov=True)
        adam(0.02, b1=0.8, b2=0.95, eps=0.5)
        adam(0.02, 0.8, 0.95, 0.1, eps_root=0.2)
        adam(0.02, 0.8, 0.95, 0.1, 0.3, nesterov=True)
        nadam(0.02, 0.8, 0.95, 0.1)
        nadam(0.02, 0.8, 0.95, 0.25, nesterov=False)
        adamw(0.02, 0.8, 0.95, 0.1, weight_decay=0.2)
        adamw(0.02, 0.8, 0.95, 0.1, eps_root=0.1, weight_decay=0.1, nesterov=True)
        nadamw(0.02, 0.8, 0.95, eps=0.2, weight_decay=0.2)
        amsgrad(0.02, 0.8, 0.95, 0.1, eps_root=0.1)
        chain(optax.clip(0.2), optax.adam(0.02, eps=0.1))
        chain(optax.clip_by_global_norm(max_norm=1.0), optax.sgd(0.05, momentum=0.8))
        chain(optax.add_decayed_weights(0.1), optax.rmsprop(0.02, eps=0.1))
        chain(optax.clip(0.5), optax.add_decayed_weights(0.1), optax.adam(0.02, eps=0.1))
    """,
    "tf.train": """
        GradientDescentOptimizer(0.0625)
        MomentumOptimizer(0.0625, 0.75)
        MomentumOptimizer(learning_rate=0.0625, momentum=0.75, use_nesterov=True)
        AdagradOptimizer(0.125, 0.125)
        AdagradOptimizer(0.125, initial_accumulator_value=0.5)
        RMSPropOptimizer(0.03125, decay=0.75, epsilon=0.5)
        RMSPropOptimizer(0.03125, 0.75, 0.5, 0.25)
        RMSPropOptimizer(0.03125, 0.75, 0.5, epsilon=0.25, centered=True)
        AdamOptimizer(0.03125, beta1=0.875, beta2=0.9375, epsilon=0.5)
        AdamOptimizer(0.03125, 0.5, 0.5, 0.25)
    """,
}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


_KERAS = [line.split(" ", 1) for line in _lines(_FELT["keras.optimizers"])]
FELT = {
    "keras": [f"keras.optimizers.{line}" for _, line in _KERAS],
    "torch": [f"torch.optim.{line}" for line in _lines(_FELT["torch.optim"])],
    "optax": [f"optax.{line}" for line in _lines(_FELT["optax"])],
    "tf1": [
        *(f"tf.train.{line}" for line in _lines(_FELT["tf.train"])),
        "tf.contrib.opt.NadamOptimizer(0.03125, beta1=0.875, beta2=0.9375, epsilon=0.5)",
    ],
}

# The arguments that choose how a step is computed, and change nothing.
HOW = [
    "torch.optim.SGD(params, 0.05, 0.8, foreach=True)",
    "torch.optim.Adam(params, lr=0.02, eps=0.1, fused=True)",
    "torch.optim.AdamW(params, lr=0.02, eps=0.1, foreach=True, amsgrad=True)",
    "torch.optim.RMSprop(params, lr=0.02, eps=0.1, differentiable=False, capturable=False)",
]

# As they are written most; where an epsilon is small its place is felt by small gradients alone.
USUAL = {
    "keras": [
        "keras.optimizers.Adam(learning_rate=0.001)",
        "keras.optimizers.AdamW()",
        "keras.optimizers.Nadam()",
        "keras.optimizers.RMSprop()",
        "keras.optimizers.RMSprop(weight_decay=0.01)",
        "keras.optimizers.Adagrad()",
        "keras.optimizers.SGD(0.01, momentum=0.9)",
    ],
    "torch": [
        "torch.optim.Adam(params)",
        "torch.optim.AdamW(params)",
        "torch.optim.NAdam(params)",
        "torch.optim.RMSprop(params)",
        "torch.optim.Adagrad(params)",
        "torch.optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True)",
    ],
    "optax": [
        "optax.adam(0.001)",
        "optax.adamw(0.001)",
        "optax.nadam(0.001)",
        "optax.rmsprop(0.001)",
        "optax.adagrad(0.1)",
        "optax.amsgrad(0.001)",
        # A decay that does not follow the learning rate.
        "optax.chain(optax.rmsprop(0.01), optax.add_decayed_weights(-0.001))",
    ],
    "tf1": ["tf.train.AdamOptimizer(0.03125, 0.5, 0.5, 5.960464477539063e-08)"],
}
SOURCES = {name: [*FELT[name], *USUAL[name]] for name in FELT}
# The process that walks a text: see oracle.py.
BACKENDS = {
    **dict.fromkeys([*SOURCES["torch"], *SOURCES["keras"], *HOW], "torch"),
    **dict.fromkeys(SOURCES["optax"], "jax"),
    **dict.fromkeys(SOURCES["tf1"], "tensorflow"),
    **{f"keras.optimizers.{x}": {"tf": "tensorflow"}.get(where, where) for where, x in _KERAS},
}

# Each is refused by an error that says the word behind the arrow.
REFUSED = dict(
    line.split(" -> ")
    for line in _lines("""
        keras.optimizers.Adam(use_ema=True) -> use_ema
        keras.optimizers.Adam(use_ema=flag) -> use_ema
        keras.optimizers.SGD(loss_scale_factor=2.0) -> loss_scale_factor
        keras.optimizers.SGD(gradient_accumulation_steps=4) -> gradient_accumulation_steps
        keras.optimizers.SGD(clipnorm=1.0, clipvalue=1.0) -> clipvalue
        keras.optimizers.Adam(amsgrad=flag) -> amsgrad
        keras.optimizers.Adam(amsgrad="no") -> amsgrad
        keras.optimizers.AdamW(weight_decay=None) -> weight_decay
        keras.optimizers.Adam(weight_decay=schedule) -> weight_decay
        keras.optimizers.Adam(epsilon=None) -> epsilon
        keras.optimizers.SGD(momentum=1.0) -> momentum
        keras.optimizers.Adam(jit_compile=True) -> jit_compile
        torch.optim.SGD(params, maximize=True) -> maximize
        torch.optim.SGD(params, momentum=0.9, dampening=0.1, nesterov=True) -> nesterov
        torch.optim.SGD(params, nesterov=True) -> nesterov
        torch.optim.Adam(params, betas=0.9) -> betas
        torch.optim.Adam(params, betas=None) -> betas
        torch.optim.Adam(params, betas=(0.9,)) -> betas
        torch.optim.Adam(params, lr=torch.tensor(0.1)) -> lr
        torch.optim.SGD([{"params": weights, "lr": 0.5}], lr=0.1) -> groups
        torch.optim.AdamW(groups, lr=0.1) -> groups
        torch.optim.AdamW(params=optimizer_grouped_parameters) -> groups
        torch.optim.AdamW(param_dicts, lr=0.1) -> groups
        torch.optim.AdamW(get_parameters(model), lr=0.1) -> groups
        g = [{"params": weights, "lr": 0.5}]; torch.optim.AdamW(g, lr=0.1) -> groups
        torch.optim.SGD(params=[{"params": weights, "lr": 0.5}], lr=0.1) -> groups
        optax.sgd(0.1, accumulator_dtype=jnp.float32) -> accumulator_dtype
        optax.adam(0.1, mu_dtype="bfloat16") -> mu_dtype
        optax.adamw(0.1, mask=mask) -> mask
        optax.adamw(0.1, 0.9, 0.999, 1e-8, 0.0, 0.3) -> positional
        optax.rmsprop(0.1, bias_correction=True, momentum=0.9) -> bias_correction
        optax.amsgrad(0.1, bias_correction_mu=False) -> bias_correction_mu
        optax.amsgrad(0.1, bias_correction_nu=False) -> bias_correction_nu
        optax.adam() -> learning_rate
        optax.chain(optax.clip(1.0)) -> no optimizer
        optax.chain(optax.adam(0.1), optax.clip(1.0)) -> clip
        optax.chain(optax.adam(0.1), optax.ema(0.9)) -> ema
        optax.chain(optax.add_noise(0.1, 0.5, 0), optax.adam(0.1)) -> add_noise
        optax.chain(optax.add_decayed_weights(0.1, mask), optax.adam(0.1)) -> add_decayed_weights
        optax.chain(optax.adam(0.1), name="x") -> name
        tf.train.AdagradOptimizer(0.1, initial_accumulator_value=0.0) -> initial_accumulator_value
        tf.train.AdamOptimizer(learning_rate=rate) -> learning_rate
    """)
)
