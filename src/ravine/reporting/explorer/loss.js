// The value along every path, and the moment that the page looks at.
import {$, dashOf, line, powerOfTen, put, refill, showIf, spreadOut, svg, ticks} from "./drawing.js";
import {clamp, said} from "./numbers.js";
import {MOST_STEPS, state} from "./state.js";

const PAD = {left: 52, right: 0, top: 14, bottom: 34};
const HEIGHT = 270;
const DECADES = 14; // deeper than that is rounding
const groups = new Map();
const [px, py] = [0, 1].map(() => new Float64Array(MOST_STEPS + 1));
export const plot = {width: 600, x: () => 0};

// Above the lowest value if that is known, on a logarithmic axis; else the value itself.
export function lossScale(surface, walks, seen) {
  const lowest = surface.minima.length ? Math.min(...surface.minima.map((m) => m[2])) : null;
  const begin = surface.value(...state.start);
  if (lowest !== null) {
    let least = Infinity;
    for (const {path: {values, n}} of walks) {
      for (let i = 0; i <= n; i++) if (values[i] > lowest && values[i] - lowest < least) least = values[i] - lowest;
    }
    const top = Math.max(begin - lowest, 1e-9) * 4;
    const bottom = clamp(least / 2, top * 10 ** -DECADES, top / 100);
    return {log: true, top, bottom, height: (v) => Math.log(clamp(v - lowest, bottom, 1e300) / bottom) / Math.log(top / bottom), lowest};
  }
  const around = [];
  const [x0, x1, y0, y1] = seen;
  for (let i = 0; i <= 20; i++) for (let j = 0; j <= 20; j++) around.push(surface.value(x0 + (x1 - x0) * i / 20, y0 + (y1 - y0) * j / 20));
  const finite = around.filter(Number.isFinite);
  const [bottom, top] = finite.length ? [Math.min(...finite), Math.max(...finite)] : [0, 1];
  return {log: false, top, bottom, height: (v) => (v - bottom) / (top - bottom || 1), lowest: null};
}

function groupOf(rule) {
  if (groups.has(rule.name)) return groups.get(rule.name);
  const made = {
    curve: svg("path", {class: "curve", "stroke-dasharray": dashOf(rule)}),
    now: svg("circle", {class: "now", r: 4.5}),
    leader: svg("path", {class: "leader"}),
    mark: svg("text", {class: "mark", "text-anchor": "middle"}),
    label: svg("text", {class: "label", "text-anchor": "start"}),
  };
  made.all = svg("g", {"data-rule": rule.name}, ...Object.values(made));
  made.all.style.setProperty("--shade", rule.shade);
  groups.set(rule.name, made);
  $("curves").append(made.all);
  return made;
}

// Asked only when the page changes its size: in a frame it would lay out everything twice.
export function measureLoss() {
  plot.width = $("loss-box").clientWidth;
}

export function drawLoss(walks, scale, t, rough) {
  const {width} = plot;
  PAD.right = 32 + 8 * Math.max(4, ...walks.map((w) => w.rule.title.length));
  const wide = width - PAD.left - PAD.right;
  const x = (i) => PAD.left + wide * i / state.steps;
  const y = (v) => clamp(PAD.top + (HEIGHT - PAD.top - PAD.bottom) * (1 - scale.height(v)), 2, HEIGHT - PAD.bottom);
  Object.assign(plot, {wide, x});
  // A point every two or three pixels will do while the hand moves.
  const stride = rough ? Math.max(1, Math.ceil(2.5 * state.steps / wide)) : 1;
  put($("loss"), {viewBox: `0 0 ${width} ${HEIGHT}`});
  drawAxes(scale, x, y, width);
  for (const [name, {all}] of groups) showIf(all, walks.some((w) => w.rule.name === name));
  const ends = walks.map(({path}) => y(Number.isFinite(path.values[path.n]) ? path.values[path.n] : Infinity));
  const places = spreadOut(ends, 16, 10, HEIGHT - PAD.bottom - 4);
  walks.forEach(({rule, path, end}, i) => {
    const {curve, now, mark, label, leader} = groupOf(rule);
    const last = path.diverged === null ? path.n : path.n - 1;
    const count = Math.floor(last / stride) + 1;
    for (let k = 0; k < count; k++) {
      px[k] = x(k * stride);
      py[k] = y(path.values[k * stride]);
    }
    put(curve, {d: line(px, py, count, 0, rough)});
    const seen = Math.min(t, last);
    put(now, {cx: x(seen).toFixed(1), cy: y(path.values[seen]).toFixed(1)});
    put(mark, {x: x(last).toFixed(1), y: (y(path.values[last]) + 5).toFixed(1)}, end.kind === "diverged" ? "✕" : "");
    put(label, {x: width - PAD.right + 18, y: (places[i] + 4).toFixed(1)}, rule.title);
    put(leader, {d: `M${x(last).toFixed(1)} ${ends[i].toFixed(1)}L${width - PAD.right + 14} ${places[i].toFixed(1)}`});
  });
  const now = x(Math.min(t, state.steps)).toFixed(1);
  put($("time"), {d: `M${now} ${PAD.top - 6}V${HEIGHT - PAD.bottom}`});
}

let axes = "";
function drawAxes(scale, x, y, width) {
  const key = [scale.log, scale.top, scale.bottom, width, PAD.right, state.steps].join();
  if (key === axes) return;
  axes = key;
  const lowest = scale.lowest ?? 0;
  const levels = ticks(scale.bottom, scale.top, scale.log, 5);
  refill($("axes"), [
    ...levels.flatMap((v) => [
      ["path", {class: "grid", d: `M${PAD.left} ${y(v + lowest)}H${width - PAD.right}`}],
      ["text", {x: PAD.left - 8, y: y(v + lowest) + 4, "text-anchor": "end"}, scale.log ? powerOfTen(v) : said(v)],
    ]),
    ...ticks(0, state.steps, false, width < 480 ? 3 : 5).map((i) => ["text", {x: x(i), y: HEIGHT - PAD.bottom + 18, "text-anchor": "middle"}, said(i)]),
    ["text", {x: width - PAD.right + 18, y: HEIGHT - PAD.bottom + 18, "text-anchor": "start"}, "step"],
  ]);
  $("loss-title").textContent = scale.log ? (lowest === 0 ? "f along the way" : `f − (${said(lowest)}) along the way`) : "f along the way";
}

export function stepOfPointer(event) {
  const box = $("loss").getBoundingClientRect();
  const at = (event.clientX - box.left) * plot.width / box.width - PAD.left;
  return clamp(Math.round(at / plot.wide * state.steps), 0, state.steps);
}
