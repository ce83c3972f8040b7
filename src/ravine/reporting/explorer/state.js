// All that the page shows follows from this, and stands in its address behind the #.
import {exact} from "./numbers.js";

export const state = {
  surface: "ravine", formula: null, window: null, start: [1, 1], steps: 200, seed: 0,
  on: [], values: {}, rates: "tuned", t: null, rule: null, scene: null,
};
export const MOST_STEPS = 5000;

// Names with what is changed, as ravine spells it: adam(beta_1=0.8).
export function spelledRule(name, values) {
  const changed = Object.entries(values).map(([key, value]) => `${key}=${exact(value)}`);
  return changed.length ? `${name}(${changed.join(",")})` : name;
}

export function toHash() {
  const said = {
    ...(state.formula === null ? {surface: state.surface} : {formula: state.formula}),
    ...(state.window && {window: state.window.join(",")}),
    start: state.start.map(exact).join(","),
    steps: state.steps,
    ...(state.seed && {seed: state.seed}),
    rules: state.on.map((name) => spelledRule(name, state.values[name] ?? {})).join(","),
    rates: state.rates,
    ...(state.t !== null && {t: state.t}),
    ...(state.rule && {rule: state.rule}),
    ...(state.scene && {scene: state.scene}),
  };
  const keep = (text) => encodeURIComponent(text).replace(/%2C/g, ",").replace(/%3D/g, "=").replace(/%2F/g, "/");
  return Object.entries(said).map(([key, value]) => `${key}=${keep(String(value))}`).join("&");
}

// Whatever is missing or cannot be meant is left at what the page begins with.
export function fromHash(hash) {
  const scene = SETTINGS.scenes.find((one) => one.name === pairs(hash).scene);
  const asked = {...pairs(scene?.state ?? ""), ...pairs(hash)};
  const said = {...pairs(SETTINGS.begin), ...asked};
  if (asked.surface && !asked.formula) delete said.formula;
  state.scene = scene?.name ?? null;
  state.formula = said.formula ?? null;
  state.surface = Object.hasOwn(SURFACES, said.surface ?? "") ? said.surface : "ravine";
  state.window = numbers(said.window, 4);
  if (state.window && !(state.window[0] < state.window[1] && state.window[2] < state.window[3])) state.window = null;
  const own = state.formula === null ? SURFACES[state.surface].start : [1, 1];
  const ours = asked.start ?? (asked.surface || asked.formula ? null : said.start);
  state.start = numbers(ours, 2) ?? [...own];
  state.steps = whole(said.steps, 1, MOST_STEPS) ?? 200;
  state.seed = whole(said.seed, 0, 2 ** 32 - 1) ?? 0;
  state.rates = ["paper", "tuned", "first"].includes(said.rates) ? said.rates : "tuned";
  readRules(said.rules ?? "");
  state.t = whole(said.t, 0, state.steps);
  state.rule = state.on.includes(said.rule) ? said.rule : null;
}

function readRules(text) {
  state.on = [];
  state.values = {};
  for (const [, name, inside] of text.matchAll(/([a-z_]\w*)(?:\(([^)]*)\))?/g)) {
    if (!Object.hasOwn(RULES, name)) continue;
    state.on.push(name);
    state.values[name] = {};
    for (const [, key, value] of (inside ?? "").matchAll(/(\w+)=([^,]+)/g)) {
      const control = RULES[name].controls.find((c) => c.name === key);
      if (control && allowed(control, Number(value))) state.values[name][key] = Number(value);
    }
  }
  state.on = [...new Set(state.on)];
}

// The interval that the rule declares, as ravine.rules.update_rule.Hyper.allows reads it.
export function allowed({valid}, value) {
  if (!Number.isFinite(value)) return false;
  const above = /^(>=?) *(\S+)$/.exec(valid);
  if (above) return value > Number(above[2]) || (above[1] === ">=" && value === Number(above[2]));
  const between = /^([[(]) *([^, ]+) *, *([^, ]+) *([\])])$/.exec(valid);
  if (!between) return true;
  const [low, high] = [Number(between[2]), Number(between[3])];
  return (value > low || (between[1] === "[" && value === low)) && (value < high || (between[4] === "]" && value === high));
}

function pairs(text) {
  const found = {};
  for (const part of text.replace(/^#/, "").split("&")) {
    const [, key, value] = /^([a-z]+)=(.*)$/.exec(part) ?? [];
    try { if (key) found[key] = decodeURIComponent(value); } catch { /* %zz says nothing */ }
  }
  return found;
}

function numbers(text, count) {
  const found = (text ?? "").split(",").map(Number);
  return text && found.length === count && found.every(Number.isFinite) ? found : null;
}

function whole(text, low, high) {
  const value = text === undefined ? NaN : Number(text);
  return Number.isInteger(value) && value >= low && value <= high ? value : null;
}
