// Which start ends where: a small map a rule, calculated a slice at a time while nobody drags.
import {$, html, swatch, table} from "./drawing.js";
import {endingOf} from "./ending.js";
import {said} from "./numbers.js";
import {state} from "./state.js";
import {walk} from "./walking.js";

const ROWS = "basins-table";
const ACROSS = 44;
const MOST = 400; // steps a walk here
const SLICE = 8; // ms
const AROUND = 0.05; // of the window's diagonal: how near a noisy walk's mean is where it hovers
let token = 0;
let shares = []; // of each map, once it is whole: rule, how it ends, share
let visible = false;
let waiting = null;

export function watchBasins() {
  $(ROWS).addEventListener("toggle", drawBasinsTable);
  new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    if (visible && waiting) { const go = waiting; waiting = null; go(); }
  }, {rootMargin: "200px"}).observe($("basins"));
}

export function stopBasins() { token++; }

export function drawBasins(walks, surface) {
  const mine = ++token;
  const go = () => run(walks, surface, mine);
  if (visible) setTimeout(() => mine === token && go(), 250);
  else waiting = () => mine === token && go();
}

function run(walks, surface, mine) {
  const [x0, x1, y0, y1] = state.window ?? surface.window;
  const down = Math.max(12, Math.min(ACROSS, Math.round(ACROSS * (y1 - y0) / (x1 - x0))));
  const steps = Math.min(state.steps, MOST);
  const paints = palette();
  const maps = walks.map(({rule, h}) => {
    const canvas = html("canvas", {width: ACROSS, height: down, role: "img", "aria-label": `${rule.title}: which start ends where; the shares stand below`});
    const words = html("figcaption", {}, swatch(rule), rule.title);
    const shares = html("span", {class: "shares"}, "…");
    return {rule, h, canvas, shares, counts: {}, figure: html("figure", {}, canvas, words, shares)};
  });
  $("basins").replaceChildren(...maps.map((m) => m.figure));
  shares = [];
  const cells = maps.flatMap((map) => Array.from({length: down}, (_, j) => ({map, j})));
  const slice = () => {
    if (mine !== token) return;
    const until = performance.now() + SLICE;
    while (cells.length && performance.now() < until) {
      const {map, j} = cells.shift();
      drawLine(map, surface, [x0, x1], y1 - (y1 - y0) * (j + 0.5) / down, j, steps, paints);
      if (j === down - 1) tell(map, down * ACROSS, surface);
    }
    if (cells.length) setTimeout(slice, 0);
  };
  slice();
}

function drawLine({rule, h, canvas, counts}, surface, [x0, x1], y, j, steps, paints) {
  const image = new ImageData(ACROSS, 1);
  for (let i = 0; i < ACROSS; i++) {
    const start = [x0 + (x1 - x0) * (i + 0.5) / ACROSS, y];
    const path = walk(rule, h, surface, start, steps, state.seed);
    const end = endingOf(surface, path);
    const settled = end.kind === "minimum" && end.nearest ? surface.minima.indexOf(end.nearest.m) : null;
    const hovered = settled === null && surface.noise && end.kind !== "diverged" ? hoveredAbout(surface, path) : null;
    const which = settled ?? hovered?.which ?? null;
    const key = which === null ? end.kind : `${hovered === null ? "minimum" : "hover"} ${which}`;
    counts[key] = (counts[key] ?? 0) + 1;
    const paint = end.kind === "diverged" ? paints.gone : which === null ? (end.kind === "minimum" ? paints.minima[0] : paints.other) : paints.minima[which % paints.minima.length];
    // The later it arrives, the nearer to the background.
    const fade = which === null ? 0 : 0.75 * (hovered ?? end).step / steps;
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = paint[c] + (paints.ground[c] - paint[c]) * fade;
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, j);
}

// The minimum that the last tenth of a noisy walk is about in the mean, and when it first was there.
function hoveredAbout({minima, window: [x0, x1, y0, y1]}, {xs, ys, n}) {
  const near = AROUND * Math.hypot(x1 - x0, y1 - y0);
  const first = n + 1 - Math.max(1, Math.floor((n + 1) / 10));
  const mean = (all) => all.subarray(first, n + 1).reduce((sum, v) => sum + v, 0) / (n + 1 - first);
  const [x, y] = [mean(xs), mean(ys)];
  const which = minima.findIndex((m) => Math.hypot(x - m[0], y - m[1]) <= near);
  if (which < 0) return null;
  const step = xs.findIndex((x, i) => Math.hypot(x - minima[which][0], ys[i] - minima[which][1]) <= near);
  return {which, step: step < 0 ? n : step};
}

function tell({rule, shares: place, counts}, all, surface) {
  const found = Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([key, n]) => {
    const [, verb, which] = /^(minimum|hover) (\d+)$/.exec(key) ?? [];
    const share = `${Math.round(100 * n / all)} %`;
    if (which === undefined) return {rule, share, ends: key};
    const at = surface.minima[which];
    const where = surface.minima.length > 1 ? `(${said(at[0], 2)}, ${said(at[1], 2)})` : "the minimum";
    return {rule, share, ends: `${verb === "hover" ? "hover about" : "reach"} ${where}`};
  });
  place.textContent = found.map(({share, ends}) => `${share} ${ends}`).join(" · ");
  shares.push(...found);
  drawBasinsTable();
}

function drawBasinsTable() {
  if (!$(ROWS).open) return;
  $(ROWS).querySelector(".scroll").replaceChildren(table("Where walks from all over the map end", ["rule", "how they end", "share of the starts"],
    shares.map(({rule, ends, share}) => [rule.title, ends, share])));
}

function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => [1, 3, 5].map((i) => parseInt(style.getPropertyValue(name).trim().slice(i, i + 2), 16));
  return {ground: colour("--surface"), gone: colour("--gone"), other: colour("--other"), minima: ["--basin-0", "--basin-1", "--basin-2", "--basin-3"].map(colour)};
}
