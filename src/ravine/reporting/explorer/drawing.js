// Elements, scales and labels: what the pictures have in common.
import {clamp, said} from "./numbers.js";

export const $ = (id) => document.getElementById(id);

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null) continue;
    element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export const html = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// What an element has in every frame. Most of it is as it was: to look costs less than to set.
export function put(element, attributes, text) {
  const had = (element.had ??= {});
  for (const key in attributes) {
    if (had[key] !== attributes[key]) element.setAttribute(key, had[key] = attributes[key]);
  }
  if (text !== undefined && had.text !== text) element.textContent = had.text = text;
}

export const showIf = (element, shown) => put(element, {display: shown ? "inline" : "none"});

// What is drawn in every frame: [tag, attributes, text] of each part. While the tags stay the same
// their elements do too, for making them anew is what costs.
export function refill(parent, parts) {
  if (parent.children.length !== parts.length || parts.some(([tag], i) => parent.children[i].tagName !== tag)) {
    parent.replaceChildren(...parts.map(([tag]) => svg(tag)));
  }
  parts.forEach(([, attributes, text = ""], i) => put(parent.children[i], attributes, text));
}

export const dashOf = (rule, scale = 1) => rule.dash.map((d) => d * scale).join(" ") || "none";

export function swatch(rule) {
  const line = svg("line", {x1: 0, y1: 5, x2: 26, y2: 5, "stroke-width": 3, "stroke-dasharray": dashOf(rule)});
  const mark = svg("path", {d: rule.outline, transform: "translate(8)"});
  line.style.stroke = mark.style.fill = rule.shade;
  return svg("svg", {class: "swatch", width: 26, height: 10, "aria-hidden": "true"}, line, mark);
}

// The path of a polyline, of two arrays of pixels; points that fall on the one before are left out: all
// that are nearer than a pixel, or than three where a rough one will do.
export function line(xs, ys, count, from = 0, rough = false) {
  let text = "";
  const near = rough ? 3 : 0.8;
  const fine = rough ? 1 : 10;
  let lx = NaN;
  let ly = NaN;
  for (let i = from; i < count; i++) {
    let x = xs[i];
    let y = ys[i];
    if (Math.abs(x - lx) + Math.abs(y - ly) < near && i < count - 1) continue;
    x = Math.round(x * fine) / fine;
    y = Math.round(y * fine) / fine;
    if (!(Math.abs(x) < 1e5 && Math.abs(y) < 1e5)) break;
    text += (text ? "L" : "M") + x + " " + y;
    lx = x;
    ly = y;
  }
  return text;
}

// Positions at least a gap apart, moved as little as can be; as ravine.reporting.style.spread_out.
export function spreadOut(positions, gap, low, high) {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a] - positions[b]);
  const mean = (pool) => pool.reduce((a, b) => a + b, 0) / pool.length;
  const pools = [];
  order.forEach((i, rank) => {
    pools.push([positions[i] - rank * gap]);
    while (pools.length > 1 && mean(pools.at(-2)) > mean(pools.at(-1))) pools.push(pools.splice(-2).flat());
  });
  const most = Math.max(low, high - (order.length - 1) * gap);
  const fitted = pools.flatMap((pool) => pool.map(() => clamp(mean(pool), low, most)));
  const placed = [];
  order.forEach((i, rank) => { placed[i] = fitted[rank] + rank * gap; });
  return placed;
}

// Round numbers between two bounds: evenly, or powers of ten.
export function ticks(low, high, log, most = 5) {
  if (log) {
    const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const stride = Math.max(1, Math.ceil((last - first + 1) / most));
    const found = [];
    for (let e = first; e <= last; e++) if ((e - first) % stride === 0) found.push(10 ** e);
    return found;
  }
  const rough = (high - low) / most;
  const power10 = 10 ** Math.floor(Math.log10(rough));
  const stride = [1, 2, 5, 10].map((k) => k * power10).find((s) => s >= rough);
  const found = [];
  for (let k = Math.ceil(low / stride); k * stride <= high; k++) found.push(Number((k * stride).toPrecision(12)));
  return found;
}

const UP = "⁰¹²³⁴⁵⁶⁷⁸⁹";
export function powerOfTen(value) {
  const e = Math.round(Math.log10(value));
  if (e >= -2 && e <= 3) return said(value);
  return `10${e < 0 ? "⁻" : ""}${[...String(Math.abs(e))].map((d) => UP[d]).join("")}`;
}

// A small table. Cells of a row: the first is its heading.
export function table(caption, head, rows) {
  const cells = (row, first) => row.map((cell, i) => html(first || i === 0 ? "th" : "td", first ? {scope: "col"} : i === 0 ? {scope: "row"} : {}, cell));
  return html("table", {},
    html("caption", {}, caption),
    html("thead", {}, html("tr", {}, ...cells(head, true))),
    html("tbody", {}, ...rows.map((row) => html("tr", {}, ...cells(row, false)))));
}
