// Which learning rate a rule has: as declared, tuned here, of equal first step, or set by hand.
import {spaced} from "./numbers.js";
import {walk} from "./walking.js";

export const TRIED = 25; // rates a rule, for every rule as many
export const FIRST = 0.05; // length of an equal first step, as a share of the window's diagonal

export const rateControl = (rule) => rule.controls.find((c) => c.name === "learning_rate");

export function declaredValues(rule, changes) {
  return {...Object.fromEntries(rule.controls.map((c) => [c.name, c.default])), ...changes};
}

// Final losses over the rule's own range of rates. The last tenth is averaged: noise and ringing.
export function sweep(rule, h, surface, start, steps, seed) {
  const {low, high} = rateControl(rule);
  return spaced(low, high, TRIED).map((rate) => {
    const path = walk(rule, {...h, learning_rate: rate}, surface, start, steps, seed);
    return {rate, loss: finalLoss(path, steps)};
  });
}

export function finalLoss({values, n, diverged}, steps) {
  if (diverged !== null) return Infinity;
  const first = n + 1 - Math.max(1, Math.floor(steps / 10));
  let sum = 0;
  for (let i = first; i <= n; i++) sum += values[i];
  return sum / (n + 1 - first);
}

export function bestRate(tried) {
  return tried.reduce((best, one) => (one.loss < best.loss ? one : best)).rate;
}

// Whether the best rate that was tried is the lowest or the highest: a wider range might do better.
export const atEdge = (tried, rate) => tried.length > 0 && (rate === tried[0].rate || rate === tried.at(-1).rate);

// The rate with which the first step is that long: the length of a step is in proportion to it.
export function rateOfFirstStep(rule, h, surface, start, seed) {
  const [x0, x1, y0, y1] = surface.window;
  const path = walk(rule, h, surface, start, 1, seed);
  const length = Math.hypot(path.xs[1] - path.xs[0], path.ys[1] - path.ys[0]);
  const rate = h.learning_rate * FIRST * Math.hypot(x1 - x0, y1 - y0) / length;
  return Number.isFinite(rate) && rate > 0 ? Number(rate.toPrecision(6)) : h.learning_rate;
}
