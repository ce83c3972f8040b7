// Which start ends where: a small map a rule, calculated a slice at a time while nobody drags.
import {$, html, swatch} from "./drawing.js";
import {endingOf} from "./ending.js";
import {said} from "./numbers.js";
import {state} from "./state.js";
import {walk} from "./walking.js";

const ACROSS = 44;
const MOST = 400; // steps a walk here
const SLICE = 8; // ms
let token = 0;
let visible = false;
let waiting = null;

export function watchBasins() {
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
    const end = endingOf(surface, walk(rule, h, surface, start, steps, state.seed));
    const which = end.kind === "minimum" && end.nearest ? surface.minima.indexOf(end.nearest.m) : null;
    const key = which === null ? end.kind : `minimum ${which}`;
    counts[key] = (counts[key] ?? 0) + 1;
    const paint = end.kind === "diverged" ? paints.gone : which === null ? (end.kind === "minimum" ? paints.minima[0] : paints.other) : paints.minima[which % paints.minima.length];
    // The later it arrives, the nearer to the background.
    const fade = end.kind === "minimum" ? 0.75 * end.step / steps : 0;
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = paint[c] + (paints.ground[c] - paint[c]) * fade;
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, j);
}

function tell({shares, counts}, all, surface) {
  const share = (n) => `${Math.round(100 * n / all)} %`;
  const said_ = Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([key, n]) => {
    const [, which] = /^minimum (\d+)$/.exec(key) ?? [];
    if (which === undefined) return `${share(n)} ${key}`;
    const at = surface.minima[which];
    return surface.minima.length > 1 ? `${share(n)} reach (${said(at[0], 2)}, ${said(at[1], 2)})` : `${share(n)} reach the minimum`;
  });
  shares.textContent = said_.join(" · ");
}

function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => [1, 3, 5].map((i) => parseInt(style.getPropertyValue(name).trim().slice(i, i + 2), 16));
  return {ground: colour("--surface"), gone: colour("--gone"), other: colour("--other"), minima: ["--basin-0", "--basin-1", "--basin-2", "--basin-3"].map(colour)};
}
