// A table behind each picture, written when it is opened.
import {$, table} from "./drawing.js";
import {saidEnding} from "./ending.js";
import {said} from "./numbers.js";
import {state} from "./state.js";

const ROWS = 20;

const WRITERS = {
  "map-table": ({walks}) => table("Where each path ended", ["rule", "learning rate", "ended", "x", "y", "f"],
    walks.map(({rule, h, end}) => [rule.title, said(h.learning_rate), saidEnding(end), said(end.x), said(end.y), said(end.value)])),
  "loss-table": ({walks}) => table("f along each path", ["step", ...walks.map((w) => w.rule.title)],
    moments().map((t) => [String(t), ...walks.map(({path}) => (t > path.n ? "–" : said(path.values[t])))])),
  "strips-table": ({walks, sweeps}) => table("Mean f over the last tenth of the steps, by learning rate", ["rule", "learning rate", "f"],
    walks.flatMap(({rule}) => (sweeps[rule.name] ?? []).map(({rate, loss}) => [rule.title, said(rate), loss === Infinity ? "diverged" : said(loss)]))),
};

function moments() {
  const stride = Math.max(1, Math.floor(state.steps / ROWS));
  const found = [];
  for (let t = 0; t < state.steps; t += stride) found.push(t);
  return [...found, state.steps];
}

export function watchTables(current) {
  for (const id of Object.keys(WRITERS)) $(id).addEventListener("toggle", () => drawTables(current()));
}

export function drawTables(seen) {
  for (const [id, write] of Object.entries(WRITERS)) {
    if ($(id).open) $(id).querySelector(".scroll").replaceChildren(write(seen));
  }
}
