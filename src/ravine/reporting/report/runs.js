// All runs: a table to sort and filter, and one run drawn over the median of its rule.
import {charts, redraw} from "./charts.js";
import {fileOf, pause, short, unpack} from "./packing.js";

const PAGE = 50;
const SLICE = 400; // rows that are read at once
const quiet = matchMedia("(prefers-reduced-motion: reduce)");
const table = document.getElementById("every");
const state = {column: null, down: false, shown: PAGE, drawn: null};
let names = [];
let numeric = [];
let every = [];
let packed = null;

// Rows of a CSV file; quotes as RFC 4180 has them.
const parsed = async (text) => {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "\n") {
      rows.push([]);
      if (rows.length % SLICE === 0) await pause();
    }
    if (end === "") break;
  }
  return rows.filter((row) => row.length > 1);
};

const unpacked = async () => {
  const content = await unpack("packed").arrayBuffer();
  const length = new DataView(content).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 4, length)));
  const planes = new Uint8Array(content, 4 + length);
  const all = planes.length / 4;
  const number = (plane, i) => planes[plane * all + i] + 256 * planes[(plane + 1) * all + i];
  return {...header, number};
};
const pointsOf = (run) => {
  const begin = packed.points.slice(0, run).reduce((sum, n) => sum + n, 0);
  const found = [];
  let at = 0;
  for (let i = begin; i < begin + packed.points[run]; i++) {
    at += packed.number(0, i) * packed.stride;
    const value = packed.low + (packed.high - packed.low) * packed.number(2, i) / packed.levels;
    found.push({at, loss: packed.log ? Math.exp(value) : value});
  }
  return found;
};

const key = (row, i) =>
  row[i] === "" ? NaN : row[i] === "inf" ? Infinity : numeric[i] ? Number(row[i]) : row[i];
const compare = (a, b) => {
  const [x, y] = [key(a.row, state.column), key(b.row, state.column)];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // last
  const order = x < y ? -1 : x > y ? 1 : 0;
  return (state.down ? -order : order) || a.number - b.number;
};
const said = (text, i) => {
  if (text === "inf") return "∞";
  if (text === "") return "–";
  return numeric[i] && text.length > 8 ? short(Number(text)) : text;
};
const make = (tag, text, attributes = {}) => {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};
const of = (run, name) => run.row[names.indexOf(name)];

const lineOf = (run) => {
  const line = make("tr", "");
  run.row.forEach((text, i) => {
    line.append(make(i ? "td" : "th", said(text, i), i ? {} : {scope: "row"}));
    if (!numeric[i]) line.lastChild.classList.add("text");
  });
  const button = make("button", "draw", {type: "button", "aria-pressed": run.number === state.drawn});
  button.setAttribute("aria-label", `Draw ${run.row[0]}, ${of(run, "stage")} seed ${of(run, "seed")}`);
  button.disabled = !packed.points[run.number];
  button.addEventListener("click", () => focus(run, button));
  line.cells[0].prepend(button);
  return line;
};
const show = () => {
  const wanted = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = every.filter((run) => wanted.every((word) => run.text.includes(word)));
  if (state.column !== null) found.sort(compare);
  const lines = found.slice(0, state.shown).map(lineOf);
  table.tBodies[0].replaceChildren(...lines);
  document.querySelector(".filter output").textContent =
    `${found.length} of ${every.length} runs` + (lines.length < found.length ? `, ${lines.length} shown` : "");
  document.getElementById("more").hidden = lines.length >= found.length;
};
const headings = () => {
  const row = make("tr", "");
  names.forEach((name, i) => {
    const heading = make("th", "", {scope: "col"});
    if (!numeric[i]) heading.classList.add("text");
    if (i === state.column) heading.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    const button = make("button", name.replaceAll("_", " "), {type: "button", class: "sort"});
    button.addEventListener("click", () => {
      state.down = state.column === i && !state.down;
      state.column = i;
      headings();
      table.tHead.querySelectorAll("button")[i].focus();
      show();
    });
    heading.append(button);
    row.append(heading);
  });
  table.tHead.replaceChildren(row);
};

const order = [...document.querySelectorAll("#standings tr[data-rule]")].map((row) => row.dataset.rule);
const focus = (run, button) => {
  const chart = charts.get("training");
  const off = state.drawn === run.number;
  state.drawn = off ? null : run.number;
  for (const other of table.querySelectorAll("[aria-pressed=true]")) other.setAttribute("aria-pressed", false);
  button.setAttribute("aria-pressed", !off);
  const rule = run.row[0];
  chart.change = off ? undefined : (spec) => {
    const panel = spec.concat[order.indexOf(rule)];
    const {encoding, mark} = structuredClone(panel.layer.at(-1));
    panel.layer.push({data: {values: pointsOf(run.number)}, encoding,
      mark: {...mark, color: "var(--ink)", strokeWidth: 1, opacity: 1}});
  };
  document.getElementById("drawn").textContent = off ? "" :
    `Drawn above in ink, in the panel of ${rule}: learning rate ${said(run.row[1], 1)}, ` +
    `${of(run, "stage")} seed ${of(run, "seed")}`;
  if (!off) chart.figure.scrollIntoView({block: "nearest", behavior: quiet.matches ? "auto" : "smooth"});
  redraw(chart);
};

const fill = async () => {
  const [text, curves] = await Promise.all([fileOf(document.getElementById("runs-csv")), unpacked()]);
  const [head, ...cells] = await parsed(text);
  packed = curves;
  names = head;
  numeric = names.map((_, i) => cells.every((row) => row[i] === "" || row[i] === "inf" || !isNaN(row[i])));
  every = cells.map((row, number) => ({number, row, text: row.join(" ").toLowerCase()}));
  document.getElementById("filter").addEventListener("input", () => {
    state.shown = PAGE;
    show();
  });
  document.getElementById("more").addEventListener("click", () => {
    state.shown += 4 * PAGE;
    show();
  });
  headings();
  show();
  document.getElementById("all").hidden = false;
};
new IntersectionObserver(([entry], watch) => {
  if (!entry.isIntersecting) return;
  watch.disconnect();
  fill();
}, {rootMargin: "1500px"}).observe(document.getElementById("runs"));
