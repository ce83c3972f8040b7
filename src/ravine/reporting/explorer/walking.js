// A rule walking down a surface: the order of calls is that of ravine.rules.update_rule.step.

// The form of a rule's code for these hyperparameters: what may be None decides how it is built.
export function formOf(rule, h) {
  const given = rule.controls.filter((c) => c.default === null && h[c.name] !== null).map((c) => c.name);
  return rule.forms[given.join("|")];
}

// Points 0 … n; it ends where the value is no longer finite. ``step`` is what happened in step ``at``,
// or in the last one if the walk was over by then. ``spare``: a walk that nobody needs any more.
export function walk(rule, h, surface, start, steps, seed, at = 0, spare = null) {
  const form = formOf(rule, h);
  const numbers = () => new Float64Array(steps + 1);
  const {xs, ys, values} = spare?.xs.length === steps + 1 ? spare : {xs: numbers(), ys: numbers(), values: numbers()};
  let [x, y] = start;
  const sx = form.init(h, x);
  const sy = form.init(h, y);
  xs[0] = x;
  ys[0] = y;
  values[0] = surface.value(x, y);
  let n = 0;
  let step = null;
  for (let t = 1; t <= steps; t++) {
    const ax = form.lookahead ? form.lookahead(h, x, sx, t) : x;
    const ay = form.lookahead ? form.lookahead(h, y, sy, t) : y;
    const g = surface.sample(ax, ay, t, seed);
    const fromX = x;
    const fromY = y;
    x = form.update(h, x, g[0], sx, t);
    y = form.update(h, y, g[1], sy, t);
    n = t;
    xs[n] = form.read ? form.read(h, x, sx, t) : x;
    ys[n] = form.read ? form.read(h, y, sy, t) : y;
    values[n] = surface.value(xs[n], ys[n]);
    const over = !Number.isFinite(values[n]);
    if (t === at || (over && t < at)) step = {t, from: [fromX, fromY], ahead: [ax, ay], g, memory: [{...sx}, {...sy}], to: [x, y]};
    if (over) break;
  }
  return {xs, ys, values, n, step, diverged: Number.isFinite(values[n]) ? null : n};
}
