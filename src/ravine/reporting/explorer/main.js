// Brings it together: what changed decides how much is done again.
import {$} from "./drawing.js";
import {allowed, fromHash, MOST_STEPS, state, toHash} from "./state.js";
import {findSurface, ownSurface, widened, zoomed} from "./surfaces.js";
import {FormulaError, parse} from "./formula.js";
import {walk} from "./walking.js";
import {endingOf, saidEnding} from "./ending.js";
import {bestRate, declaredValues, finalLoss, rateOfFirstStep, sweep} from "./rates.js";
import {drawAhead, drawGround, drawPaths, placeOfPointer, view} from "./map.js";
import {drawLoss, lossScale, measureLoss, stepOfPointer} from "./loss.js";
import {drawAnatomy} from "./anatomy.js";
import {drawRows, makeRows} from "./rows.js";
import {drawBasins, stopBasins, watchBasins} from "./basins.js";
import {drawTables, watchTables} from "./tables.js";
import {python, savePng, saveSvg} from "./export.js";
import {drawPlayer, makePlayer, moment} from "./play.js";
import {drawScene} from "./scenes.js";

const now = {surface: null, walks: [], sweeps: {}, losses: {}, scale: null};
const tuned = {}; // by rule: for what, the losses tried, the best rate
let pending = null;

function valuesOf(rule) {
  const h = declaredValues(rule, state.values[rule.name] ?? {});
  if ("learning_rate" in (state.values[rule.name] ?? {})) return h;
  if (state.rates === "first") h.learning_rate = rateOfFirstStep(rule, h, now.surface, state.start, state.seed);
  if (state.rates === "tuned") h.learning_rate = tuned[rule.name]?.best ?? h.learning_rate;
  return h;
}

// The same budget for everyone: as many rates, each over its own range. Not while somebody drags.
function tune() {
  for (const name of state.on) {
    const rule = RULES[name];
    const {learning_rate: _, ...rest} = state.values[name] ?? {};
    const key = JSON.stringify([now.surface.text, state.start, state.steps, state.seed, rest]);
    if (tuned[name]?.key === key) continue;
    const tried = sweep(rule, declaredValues(rule, rest), now.surface, state.start, state.steps, state.seed);
    tuned[name] = {key, tried, best: bestRate(tried)};
  }
}

function draw(rough = false) {
  pending = null;
  const begun = performance.now();
  const at = Math.max(1, moment());
  const old = new Map(now.walks.map((w) => [w.rule.name, w.path]));
  now.walks = state.on.map((name) => {
    const rule = RULES[name];
    const h = valuesOf(rule);
    const path = walk(rule, h, now.surface, state.start, state.steps, state.seed, at, old.get(name));
    return {rule, h, path, end: endingOf(now.surface, path)};
  });
  for (const {rule, path} of now.walks) {
    now.losses[rule.name] = finalLoss(path, state.steps);
    now.sweeps[rule.name] = tuned[rule.name]?.tried;
  }
  now.scale = lossScale(now.surface, now.walks, view.seen);
  drawPaths(now.walks, moment(), rough);
  drawLoss(now.walks, now.scale, moment(), rough);
  const looked = now.walks.find((w) => w.rule.name === state.rule) ?? now.walks.at(-1);
  drawAnatomy(looked);
  drawAhead(looked, moment());
  drawRows(now.walks, now.sweeps, now.scale, now.losses);
  drawPlayer();
  drawTables(now);
  performance.measure("frame", {start: begun});
}

function redraw() {
  pending ??= requestAnimationFrame(() => draw(true));
}

// ``done``: the hand has let go. Then what takes longer follows, and the address.
function changed(done = true) {
  stopBasins();
  if (!done) { redraw(); return; }
  tune();
  if (pending !== null) cancelAnimationFrame(pending);
  draw();
  drawBasins(now.walks, now.surface);
  history.replaceState(null, "", `#${toHash()}`);
  $("said").textContent = now.walks.map(({rule, end}) => `${rule.title}: ${saidEnding(end)}`).join(". ");
}

function show() {
  now.surface = {...findSurface(state)};
  now.surface.window = widened(now.surface.window, state.start);
  drawGround(now.surface);
  measureLoss();
  $("surface").value = state.formula === null ? state.surface : "";
  $("about").textContent = now.surface.about;
  if (document.activeElement !== $("formula")) $("formula").value = now.surface.text;
  $("steps").value = state.steps;
  $("seed").value = state.seed;
  $("seed-box").hidden = !now.surface.noise;
  document.querySelector(`input[name=rates][value=${state.rates}]`).checked = true;
  drawScene();
  changed();
}

function open(hash) {
  fromHash(hash);
  try {
    findSurface(state);
  } catch (error) {
    tellFormula(state.formula, error);
    state.formula = null;
  }
  show();
}

function tellFormula(text, error) {
  const wrong = error instanceof FormulaError;
  if (error && !wrong) throw error;
  $("formula").setAttribute("aria-invalid", String(wrong));
  $("formula-error").hidden = !wrong;
  if (!wrong) return;
  $("formula-caret").textContent = `${text}\n${" ".repeat(error.position)}^`;
  $("formula-said").textContent = error.message;
}

function moveStart(place, done) {
  state.start = place.map((v, i) => Number(v.toFixed(digits(i))));
  changed(done);
}
const digits = (i) => Math.max(0, Math.min(12, 2 - Math.floor(Math.log10((view.seen[2 * i + 1] - view.seen[2 * i]) / 4))));

function listen() {
  dragging($("paths"), (event, done) => moveStart(placeOfPointer(event), done));
  dragging($("loss"), (event, done) => { stop(); state.t = stepOfPointer(event); changed(done); });
  $("start").addEventListener("keydown", (event) => {
    const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
    if (!way) return;
    event.preventDefault();
    const size = (view.seen[1] - view.seen[0]) * (event.shiftKey ? 0.05 : 0.01);
    moveStart(state.start.map((v, i) => v + way[i] * size), false);
  });
  $("start").addEventListener("keyup", () => changed(true));
  $("surface").addEventListener("change", () => {
    if (!$("surface").value) { $("formula").focus(); return; }
    Object.assign(state, {surface: $("surface").value, formula: null, window: null, scene: null});
    state.start = [...SURFACES[state.surface].start];
    tellFormula("", null);
    show();
  });
  $("formula").addEventListener("input", () => {
    const text = $("formula").value;
    try {
      ownSurface(text);
    } catch (error) {
      tellFormula(text, error);
      return;
    }
    tellFormula(text, null);
    const known = Object.values(SURFACES).find((surface) => surface.text === text);
    Object.assign(state, known ? {surface: known.name, formula: null} : {formula: text});
    show();
  });
  for (const [id, most, least] of [["steps", MOST_STEPS, 1], ["seed", 2 ** 32 - 1, 0]]) {
    $(id).addEventListener("change", () => {
      const value = Math.round(Number($(id).value));
      if (value >= least && value <= most) state[id] = value;
      state.t = null;
      show();
    });
  }
  for (const radio of document.querySelectorAll("input[name=rates]")) {
    radio.addEventListener("change", () => {
      state.rates = radio.value;
      for (const values of Object.values(state.values)) delete values.learning_rate;
      changed();
    });
  }
  for (const [id, factor] of [["closer", 0.5], ["farther", 2]]) {
    $(id).addEventListener("click", () => { state.window = zoomed(state.window ?? now.surface.window, factor); show(); });
  }
  $("fit").addEventListener("click", () => { state.window = null; show(); });
  $("copy").addEventListener("click", copy);
  $("save-svg").addEventListener("click", saveSvg);
  $("save-png").addEventListener("click", savePng);
  // What was asked for, even if the address was written over meanwhile.
  addEventListener("hashchange", (event) => open(new URL(event.newURL).hash));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  new ResizeObserver(() => { drawGround(now.surface); measureLoss(); draw(); }).observe(document.querySelector("main"));
}

function dragging(element, act) {
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    if (element.id === "paths") $("start").focus({preventScroll: true});
    event.preventDefault();
    act(event, false);
  });
  element.addEventListener("pointermove", (event) => { if (element.hasPointerCapture(event.pointerId)) act(event, false); });
  element.addEventListener("pointerup", (event) => act(event, true));
}

async function copy() {
  const code = python(now.walks);
  $("code").textContent = code;
  $("code-box").hidden = false;
  try {
    await navigator.clipboard.writeText(code);
    $("copied").textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren($("code"));
    $("copied").textContent = "Selected: copy it with Ctrl+C.";
  }
}

let stop = () => {};

function begin() {
  makeRows(changed);
  stop = makePlayer(changed);
  watchBasins();
  watchTables(() => now);
  open(location.hash);
  listen();
  // For the console, and for the tests: the page's own parts.
  window.ravine = {RULES, SURFACES, state, now, allowed, noise, parse, ownSurface, walk, endingOf, declaredValues, python, toHash, fromHash};
}

// The words are there before the first path is calculated.
requestAnimationFrame(() => setTimeout(begin));
