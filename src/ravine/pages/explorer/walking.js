// A rule walking down a surface: the order of calls is that of ravine.update_rule.step.

// The form of a rule's code for these hyperparameters: what may be None decides how it is built.
export function formOf(rule, h) {
  const given = rule.controls.filter((c) => c.default === null && h[c.name] !== null).map((c) => c.name);
  return rule.forms[given.join("|")];
}

// Points 0 … n; it ends where the value is no longer finite. ``watch`` is told of every step.
export function walk(rule, h, surface, start, steps, seed, watch = null) {
  const form = formOf(rule, h);
  const xs = new Float64Array(steps + 1);
  const ys = new Float64Array(steps + 1);
  const values = new Float64Array(steps + 1);
  let [x, y] = start;
  let sx = form.init(h, x);
  let sy = form.init(h, y);
  xs[0] = x;
  ys[0] = y;
  values[0] = surface.value(x, y);
  let n = 0;
  for (let t = 1; t <= steps; t++) {
    const ax = form.lookahead(h, x, sx, t);
    const ay = form.lookahead(h, y, sy, t);
    const g = surface.sample(ax, ay, t, seed);
    const nx = form.update(h, x, g[0], sx, t);
    const ny = form.update(h, y, g[1], sy, t);
    if (watch) watch({t, from: [x, y], ahead: [ax, ay], g, memory: [nx[1], ny[1]], to: [nx[0], ny[0]]});
    x = nx[0]; sx = nx[1];
    y = ny[0]; sy = ny[1];
    n = t;
    xs[n] = form.read(h, x, sx, t);
    ys[n] = form.read(h, y, sy, t);
    values[n] = surface.value(xs[n], ys[n]);
    if (!Number.isFinite(values[n])) break;
  }
  return {xs, ys, values, n, diverged: Number.isFinite(values[n]) ? null : n};
}

// What happened in step t, or null if the walk was over.
export function stepAt(rule, h, surface, start, t, seed) {
  let seen = null;
  walk(rule, h, surface, start, t, seed, (step) => { if (step.t === t) seen = step; });
  return seen;
}
