// The map: contours below, every rule's whole path above, and the start, which can be dragged.
import {$, dashOf, line, put, showIf, spreadOut, svg, ticks} from "./drawing.js";
import {drawContours} from "./contours.js";
import {saidEnding} from "./ending.js";
import {clamp, said} from "./numbers.js";
import {MOST_STEPS, state} from "./state.js";

const LABEL_GAP = 17;
const CLOSE = 90; // pixels
const MARGIN = {left: 34, bottom: 22};
const groups = new Map();

// The window as shown: as long one way as the other, whatever the shape of the page.
function frame(surface, width, height) {
  const [x0, x1, y0, y1] = state.window ?? surface.window;
  const scale = Math.max((x1 - x0) / width, (y1 - y0) / height);
  const [cx, cy, rx, ry] = [(x0 + x1) / 2, (y0 + y1) / 2, scale * width / 2, scale * height / 2];
  return [cx - rx, cx + rx, cy - ry, cy + ry];
}

export const view = {width: 0, height: 0, seen: [0, 1, 0, 1]};
const across = (x) => (x - view.seen[0]) / (view.seen[1] - view.seen[0]) * view.width;
const down = (y) => (view.seen[3] - y) / (view.seen[3] - view.seen[2]) * view.height;
const shows = (x, y) => x >= view.seen[0] && x <= view.seen[1] && y >= view.seen[2] && y <= view.seen[3];

export function placeOfPointer(event) {
  const box = $("paths").getBoundingClientRect();
  const [x0, x1, y0, y1] = view.seen;
  return [x0 + (x1 - x0) * (event.clientX - box.left) / box.width, y1 - (y1 - y0) * (event.clientY - box.top) / box.height];
}

// What changes only with the surface, the window or the size.
export function drawGround(surface) {
  const box = $("map");
  const width = Math.max(80, box.clientWidth - MARGIN.left);
  const height = Math.round(clamp(width * 0.72, 240, Math.max(320, innerHeight * 0.68)));
  Object.assign(view, {width, height, seen: frame(surface, width, height)});
  for (const layer of [$("ground"), $("paths")]) {
    layer.style.width = `${width}px`;
    layer.style.height = `${height}px`;
  }
  box.style.height = `${height + MARGIN.bottom}px`;
  $("paths").setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const [side, size] of [["width", width], ["height", height]]) $("frame").firstElementChild.setAttribute(side, size + 8);
  drawContours($("ground"), surface, view.seen, width, height);
  drawScale();
  $("minima").replaceChildren(...surface.minima.filter(([x, y]) => shows(x, y)).map(([x, y]) =>
    svg("path", {class: "minimum", d: `M${across(x) - 6} ${down(y)}h12M${across(x)} ${down(y) - 6}v12`})));
}

function drawScale() {
  const [x0, x1, y0, y1] = view.seen;
  const few = view.width < 420 ? 4 : 8;
  const xs = ticks(x0, x1, false, few).map((x) => [across(x), view.height + 16, "middle", said(x)]);
  const ys = ticks(y0, y1, false, 6).map((y) => [-7, down(y) + 4, "end", said(y)]);
  const inside = ([x, y]) => (y > view.height ? x > 8 && x < view.width - 8 : y > 10 && y < view.height - 2);
  $("scale").replaceChildren(...[...xs, ...ys].filter(inside).map(([x, y, anchor, text]) => svg("text", {x, y, "text-anchor": anchor}, text)));
}

function groupOf(rule) {
  if (groups.has(rule.name)) return groups.get(rule.name);
  const dash = dashOf(rule);
  const made = {
    whole: svg("path", {class: "whole", "stroke-dasharray": dash}),
    past: svg("path", {class: "past", "stroke-dasharray": dash}),
    leader: svg("path", {class: "leader"}),
    dots: svg("path", {class: "dots"}),
    mark: svg("text", {class: "mark", "text-anchor": "middle"}),
    now: svg("circle", {class: "now", r: 5}),
    label: svg("text", {class: "label"}),
  };
  // No path may cover a name: names have a layer of their own.
  const {whole, past, dots, now, leader, mark, label} = made;
  made.layers = [svg("g", {}, whole, past, dots), svg("g", {}, now, leader, mark, label)];
  made.layers.forEach((layer, i) => {
    layer.style.setProperty("--shade", rule.shade);
    $(["walks", "names"][i]).append(layer);
  });
  groups.set(rule.name, made);
  return made;
}

// Every frame of a drag: all paths, their ends, their names.
// ``rough``: while the hand moves, a path of fewer points is as good.
export function drawPaths(walks, t, rough) {
  for (const [name, {layers}] of groups) for (const layer of layers) showIf(layer, walks.some((w) => w.rule.name === name));
  const ends = walks.map(drawPath(t, rough));
  const lowest = view.height - 9;
  const places = spreadOut(ends.map(([, y]) => y), LABEL_GAP, 12, lowest);
  const column = crowd(ends);
  walks.forEach(({rule, end}, i) => {
    const {label, leader} = groupOf(rule);
    const [x, y] = ends[i];
    const text = end.mark === "○" ? rule.title : `${rule.title} ${saidEnding(end)}`;
    const long = 16 + text.length * 7.2;
    const [left, right] = column ?? [x, x];
    const before = right + long > view.width && (left > long || left > view.width / 2);
    const at = before ? left - 14 : right + 14;
    put(label, {x: at.toFixed(1), y: (places[i] + 4.5).toFixed(1), "text-anchor": before ? "end" : "start"}, text);
    const away = column || Math.abs(places[i] - y) > 7;
    put(leader, {d: away ? `M${x.toFixed(1)} ${y.toFixed(1)}L${(at + (before ? 3 : -3)).toFixed(1)} ${places[i].toFixed(1)}` : ""});
  });
  const [sx, sy] = state.start;
  put($("start"), {
    transform: `translate(${across(sx).toFixed(1)} ${down(sy).toFixed(1)})`,
    "aria-label": `Start at x ${said(sx)}, y ${said(sy)}. Arrow keys move it, with shift farther.`,
  });
}

// Where many walks end in one place, their names stand in a column beside it: its left and right edge.
function crowd(ends) {
  const [xs, ys] = [0, 1].map((k) => ends.map((end) => end[k]));
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  if (ends.length < 3 || right - left > CLOSE || Math.max(...ys) - Math.min(...ys) > CLOSE) return null;
  const aside = Math.min(CLOSE, view.width / 6);
  return [left - aside, right + aside];
}

// Where a path is on the map, in pixels: one place for all of them, one after the other.
const [px, py] = [0, 1].map(() => new Float64Array(MOST_STEPS + 1));

function measurePath({xs, ys, n}) {
  const [x0, x1, y0, y1] = view.seen;
  const [across, down] = [view.width / (x1 - x0), view.height / (y1 - y0)];
  for (let i = 0; i <= n; i++) {
    px[i] = (xs[i] - x0) * across;
    py[i] = (y1 - ys[i]) * down;
  }
}

const drawPath = (t, rough) => ({rule, path, end}) => {
  const {whole, past, mark, now, dots} = groupOf(rule);
  measurePath(path);
  const cursor = Math.min(t, path.n);
  put(whole, {d: cursor < path.n ? line(px, py, path.n + 1, cursor, rough) : ""});
  put(past, {d: line(px, py, cursor + 1, 0, rough)});
  let steps = "";
  if (path.n <= 80) for (let i = 1; i <= path.n; i++) steps += shows(path.xs[i], path.ys[i]) ? `M${px[i].toFixed(1)} ${py[i].toFixed(1)}h0` : "";
  put(dots, {d: steps});
  const [x, y] = lastSeen(path);
  const left = end.mark === "○" && !shows(end.x, end.y);
  put(mark, {x: x.toFixed(1), y: (y + 5).toFixed(1)}, left ? "→" : end.mark);
  const visible = cursor < path.n && shows(path.xs[cursor], path.ys[cursor]);
  showIf(now, visible);
  if (visible) put(now, {cx: px[cursor].toFixed(1), cy: py[cursor].toFixed(1)});
  return [x, y];
};

// Where a path ends, or where it leaves the map for good, kept inside.
function lastSeen({xs, ys, n}) {
  let i = n;
  while (i > 0 && !shows(xs[i], ys[i])) i--;
  const [x, y] = [across(xs[i]), down(ys[i])];
  if (i === n || !Number.isFinite(xs[i + 1]) || !Number.isFinite(ys[i + 1])) return inset(x, y);
  const [dx, dy] = [across(xs[i + 1]) - x, down(ys[i + 1]) - y];
  const shares = [[x, dx, view.width], [y, dy, view.height]].map(([p, d, size]) => (d > 0 ? (size - p) / d : d < 0 ? -p / d : 1));
  const share = clamp(Math.min(...shares), 0, 1);
  return inset(x + share * dx, y + share * dy);
}

const inset = (x, y) => [clamp(x, 8, view.width - 8), clamp(y, 8, view.height - 8)];

// Of the chosen rule at the cursor: where its gradient is taken, if not where it stands.
export function drawAhead(walk, t) {
  const step = walk?.rule.lookahead && t > 0 ? walk.path.step : null;
  const ahead = $("ahead");
  showIf(ahead, step && shows(...step.ahead));
  if (!step) return;
  ahead.style.setProperty("--shade", walk.rule.shade);
  const [x, y, ax, ay] = [across(step.from[0]), down(step.from[1]), across(step.ahead[0]), down(step.ahead[1])];
  ahead.firstElementChild.setAttribute("d", `M${x} ${y}L${ax} ${ay}`);
  ahead.lastElementChild.setAttribute("cx", ax);
  ahead.lastElementChild.setAttribute("cy", ay);
}
