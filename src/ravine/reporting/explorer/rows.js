// A row a rule: on or off, its learning rate, every other hyperparameter, and the way back.
import {$, html, put, swatch} from "./drawing.js";
import {saidEnding} from "./ending.js";
import {clamp, rounded, said} from "./numbers.js";
import {atEdge} from "./rates.js";
import {drawStrip, makeStrip} from "./strips.js";
import {allowed, state} from "./state.js";

const NOTCHES = 1000;
const rows = new Map();

// A slider's position for a value, and back.
function toNotch({scale, low, high, zero}, value) {
  if (scale === "linear") return NOTCHES * (value - low) / (high - low);
  if (scale === "memory") return NOTCHES * Math.log10(1 - Math.min(value, high)) / Math.log10(1 - high);
  if (value <= 0) return 0;
  const share = clamp(Math.log(value / low) / Math.log(high / low), 0, 1);
  return zero ? 1 + share * (NOTCHES - 1) : share * NOTCHES;
}
function fromNotch({scale, low, high, zero}, notch) {
  if (scale === "linear") return rounded(low + (high - low) * notch / NOTCHES);
  if (scale === "memory") return Number((1 - (1 - high) ** (notch / NOTCHES)).toPrecision(notch > 750 ? 5 : 3));
  if (zero && notch < 1) return 0;
  return rounded(low * (high / low) ** (zero ? (notch - 1) / (NOTCHES - 1) : notch / NOTCHES));
}

export function makeRows(changed) {
  for (const rule of Object.values(RULES)) {
    const set = (name, value, settled) => {
      const values = (state.values[rule.name] ??= {});
      values[name] = value;
      changed(settled);
    };
    const row = makeRow(rule, set, changed);
    rows.set(rule.name, row);
    $("rows").append(row.all);
  }
}

function makeRow(rule, set, changed) {
  const on = html("input", {type: "checkbox", id: `on-${rule.name}`});
  on.addEventListener("change", () => {
    const order = Object.keys(RULES);
    state.on = order.filter((name) => (name === rule.name ? on.checked : state.on.includes(name)));
    if (!state.on.includes(state.rule)) state.rule = null;
    changed(true);
  });
  const inside = html("button", {type: "button", class: "quiet", "aria-pressed": "false"}, "look inside");
  inside.addEventListener("click", () => { state.rule = rule.name; changed(true); });
  const reset = html("button", {type: "button", class: "quiet", "aria-label": `reset ${rule.title}`}, "reset");
  reset.addEventListener("click", () => { state.values[rule.name] = {}; changed(true); });
  const strip = makeStrip(rule, (rate) => set("learning_rate", rate, false));
  strip.picture.addEventListener("pointerup", () => changed(true));
  const [first, ...others] = rule.controls.map((control) => makeControl(rule, control, set));
  const ended = html("span", {class: "ended"});
  const edge = html("p", {class: "hint edge", hidden: true}, "The best rate tried is at the end of the range: one beyond it might do better.");
  const body = html("div", {class: "body"}, strip.picture, first.all, edge,
    others.length ? html("details", {}, html("summary", {}, others.length === 1 ? "one more setting" : `${others.length} more settings`), ...others.map((o) => o.all)) : "",
    html("p", {class: "buttons"}, inside, reset));
  const all = html("section", {class: "row", "aria-label": rule.title},
    html("h3", {}, on, html("label", {for: `on-${rule.name}`}, swatch(rule), rule.title), ended), body);
  return {all, on, body, inside, reset, strip, edge, ended, controls: [first, ...others]};
}

function makeControl(rule, control, set) {
  const id = `${rule.name}-${control.name}`;
  const slider = html("input", {type: "range", min: 0, max: NOTCHES, step: "any", id, "aria-describedby": `${id}-said`});
  const box = html("input", {type: "text", inputmode: "decimal", class: "number", "aria-label": `${rule.title}, ${control.name}, as a number`});
  const letter = html("span", {class: "letter", "aria-hidden": "true"});
  letter.innerHTML = control.glyph;
  const given = control.default === null ? html("input", {type: "checkbox", "aria-label": `${rule.title}: give ${control.name}`}) : null;
  slider.step = 1;
  slider.addEventListener("input", () => set(control.name, fromNotch(control, Number(slider.value)), false));
  slider.addEventListener("change", () => set(control.name, fromNotch(control, Number(slider.value)), true));
  box.addEventListener("change", () => {
    const value = Number(box.value.replace("−", "-").replace(",", "."));
    const fine = box.value.trim() !== "" && allowed(control, value);
    box.setAttribute("aria-invalid", String(!fine));
    problem.textContent = fine ? "" : `${control.name} must be ${control.allowed}`;
    if (fine) set(control.name, value, true);
  });
  given?.addEventListener("change", () => set(control.name, given.checked ? 0 : null, true));
  const problem = html("span", {class: "problem", role: "status"});
  const all = html("div", {class: "control"},
    html("label", {for: id}, given ?? "", letter, " ", html("span", {class: "name"}, control.name)), box, slider,
    html("span", {class: "meaning", id: `${id}-said`}, control.meaning), problem);
  return {all, slider, box, given, control, problem};
}

// Every frame: what is in use, and how it went.
export function drawRows(walks, sweeps, scale, losses) {
  for (const [name, row] of rows) {
    const walk = walks.find((w) => w.rule.name === name);
    row.on.checked = Boolean(walk);
    row.body.hidden = !walk;
    row.all.classList.toggle("off", !walk);
    row.edge.hidden = !(walk && state.rates === "tuned" && sweeps[name] && !("learning_rate" in (state.values[name] ?? {})) && atEdge(sweeps[name], walk.h.learning_rate));
    put(row.ended, {}, walk ? `${walk.end.mark} ${saidEnding(walk.end)}` : "");
    if (!walk) continue;
    put(row.inside, {"aria-pressed": String(state.rule === name)});
    row.reset.disabled = Object.keys(state.values[name] ?? {}).length === 0;
    for (const part of row.controls) drawControl(part, walk.h[part.control.name]);
    if (sweeps[name]) drawStrip(row.strip, walk.rule, sweeps[name], walk.h.learning_rate, losses[name], scale);
  }
}

function drawControl(part, value) {
  const {slider, box, given, control} = part;
  const focused = document.activeElement === slider || document.activeElement === box;
  if (part.shown === value && !focused) return;
  part.shown = focused ? undefined : value;
  if (given) given.checked = value !== null;
  slider.disabled = box.disabled = value === null;
  if (value === null) { box.value = "–"; return; }
  if (document.activeElement !== slider) slider.value = toNotch(control, value);
  slider.setAttribute("aria-valuetext", said(value));
  if (document.activeElement !== box) box.value = said(value, 6).replace("−", "-");
}
