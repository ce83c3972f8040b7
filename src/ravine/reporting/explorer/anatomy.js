// One step taken apart: its gradient, what the rule remembers, and the step that follows.
import {$, html, put, refill, table} from "./drawing.js";
import {said} from "./numbers.js";

const SIZE = 250;
const REACH = 100;
let shown = "";
let numbered = "";

export function drawAnatomy(walk) {
  $("anatomy").hidden = !walk;
  if (!walk) return;
  const {rule, h, path: {step}} = walk;
  drawEquation(rule, h);
  put($("anatomy-title"), {}, `Step ${step.t} of ${rule.title}`);
  const moved = [step.to[0] - step.from[0], step.to[1] - step.from[1]];
  const memory = rule.memory.map((field) => ({...field, value: step.memory.map((s) => s[field.name])}));
  drawArrows(rule, step, moved, memory);
  drawNumbers(rule, step, moved, memory);
}

function drawEquation(rule, h) {
  const plain = rule.controls.every((c) => h[c.name] === c.default || (c.default !== null && c.default !== 0));
  const rows = rule.equations[plain ? "plain" : "full"].map((i) => `<mtr>${EQUATIONS[i]}</mtr>`);
  const text = `<math display="block"><mtable displaystyle="true">${rows.join("")}</mtable></math>`;
  if (text === shown) return;
  shown = text;
  $("equation").innerHTML = text;
}

function drawArrows(rule, step, moved, memory) {
  const down = step.g.map((g) => -g);
  const arrows = memory.filter((field) => field.kind === "arrow").map((field) => field.value.map((v) => -v));
  const scales = memory.filter((field) => field.kind === "scale").map((field) => field.value.map((v) => Math.sqrt(Math.abs(v))));
  // A root of a sum of squares may be far longer than a gradient: then it sets the scale alone.
  const longest = (all) => Math.max(...all.map(([x, y]) => Math.hypot(x, y)), 1e-300);
  const slopes = REACH / longest([down, ...arrows, ...scales]);
  const steps = REACH / longest([moved]) * 0.92;
  const parts = [["circle", {class: "here", r: 3.5}]];
  for (const [x, y] of scales) parts.unshift(["rect", {class: "scale", x: -x * slopes, y: -y * slopes, width: 2 * x * slopes, height: 2 * y * slopes}]);
  parts.push(arrow("moved", moved, steps), arrow("gradient", down, slopes), ...arrows.map((a) => arrow("memory", a, slopes)));
  const picture = $("arrows");
  picture.style.setProperty("--shade", rule.shade);
  put(picture, {viewBox: `${-SIZE / 2} ${-SIZE / 2} ${SIZE} ${SIZE}`});
  refill(picture, parts);
  $("key-memory").hidden = !arrows.length;
  $("key-scale").hidden = !scales.length;
}

function arrow(name, [x, y], scale) {
  const [dx, dy] = [x * scale, -y * scale];
  if (!Number.isFinite(dx) || !Number.isFinite(dy) || Math.hypot(dx, dy) < 1) return ["path", {class: `arrow ${name}`, d: ""}];
  const angle = Math.atan2(dy, dx);
  const head = [2.7, -2.7].map((turn) => `M${dx.toFixed(1)} ${dy.toFixed(1)}l${(9 * Math.cos(angle + turn)).toFixed(1)} ${(9 * Math.sin(angle + turn)).toFixed(1)}`);
  return ["path", {class: `arrow ${name}`, d: `M0 0L${dx.toFixed(1)} ${dy.toFixed(1)}${head.join("")}`}];
}

function drawNumbers(rule, step, moved, memory) {
  const looked = step.ahead[0] !== step.from[0] || step.ahead[1] !== step.from[1];
  const rows = [
    ["from w", step.from],
    ...(looked ? [["gradient taken at", step.ahead]] : []),
    ["gradient g", step.g],
    ...memory.map((field) => [field, field.value]),
    ["step Δw", moved],
  ];
  const box = $("anatomy-numbers");
  // The same rows in the next frame: only their numbers are new.
  if (numbered !== rule.name + looked) {
    box.replaceChildren(table("", ["quantity", "x", "y"], rows.map(([name]) => [name.glyph ? glyph(name) : name, "", ""])));
    numbered = rule.name + looked;
  }
  put(box.querySelector("caption"), {}, `Step ${step.t} in numbers`);
  box.querySelectorAll("td").forEach((cell, i) => put(cell, {}, said(rows[i >> 1][1][i & 1])));
}

function glyph(field) {
  const letter = html("span", {"aria-hidden": "true"});
  letter.innerHTML = field.glyph;
  return html("span", {}, letter, html("span", {class: "unseen"}, field.name));
}
