// Charts: still pictures until somebody touches one, or where they do not fit.
import {pause, unpack} from "./packing.js";

const SMALLEST = 0.8; // that a still picture may shrink to
export const charts = new Map();

// Vega, and all that it draws from.
let loading = null;
export const load = () => (loading ??= (async () => {
  const [script, live] = await Promise.all([unpack("vega").text(), unpack("live").json()]);
  const element = document.createElement("script");
  element.textContent = script;
  document.head.append(element);
  return live;
})());

const zoomOf = () => Math.max(1, parseFloat(getComputedStyle(document.documentElement).fontSize) / 16);

// The specification of a chart as its controls stand, with the rows it is drawn from.
const asked = (chart, live) => {
  const values = [...chart.figure.querySelectorAll("input[type=radio]:checked")].map((input) => input.value);
  const specs = live.specs[chart.name];
  const keys = Object.keys(specs);
  // An option that leaves one choice has no control.
  const key = keys.find((key) => values.every((value) => key.split("-").includes(value))) ?? keys[0];
  return {...structuredClone(specs[key]), datasets: live.datasets};
};

// As wide as the page has room for; where the page's text is larger, so is the chart's.
const fit = (spec, figure, zoom) => {
  const room = figure.clientWidth / zoom;
  const beside = Number(figure.dataset.beside);
  if (spec.concat) {
    const most = spec.columns;
    spec.columns = Math.min(most, Math.max(1, Math.floor((room * most) / 640)));
    for (const panel of spec.concat) {
      panel.width = Math.max(100, Math.floor(room / spec.columns) - beside);
      panel.title.limit = panel.width + 40;
    }
  } else if (figure.dataset.chart === "clocks") {
    spec.width = Math.max(430, Math.min(spec.width, room - 24)); // labels on both sides
  } else {
    spec.width = Math.max(160, room - beside);
  }
};

const draw = async (chart) => {
  const {figure, picture} = chart;
  const turn = ++chart.turn;
  picture.setAttribute("aria-busy", "true");
  const live = await load();
  const zoom = zoomOf();
  const spec = asked(chart, live);
  fit(spec, figure, zoom);
  chart.change?.(spec);
  const fresh = document.createElement("div");
  const {view} = await vegaEmbed(fresh, spec, {
    actions: false,
    renderer: "svg",
    ast: true, // expressions are interpreted, so that the page may forbid eval
    defaultStyle: false,
    tooltip: {disableDefaultStyle: true},
  });
  if (turn !== chart.turn) return void view.finalize();
  const svg = fresh.querySelector("svg");
  for (const side of ["width", "height"]) svg.setAttribute(side, svg.getAttribute(side) * zoom);
  chart.view?.finalize();
  chart.view = view;
  picture.classList.remove("still");
  picture.removeAttribute("aria-busy");
  picture.replaceChildren(fresh);
};

// One after the other, so that the page answers meanwhile.
let queue = Promise.resolve();
export const redraw = (chart) => {
  chart.width = chart.figure.clientWidth;
  queue = queue.then(pause).then(() => draw(chart));
  return queue;
};
export const wake = (chart) => (chart.width === null ? redraw(chart) : queue);

const unfit = (chart) => {
  if (chart.width !== null) return chart.width !== chart.figure.clientWidth;
  const still = chart.picture.querySelector("svg").viewBox.baseVal.width;
  return chart.figure.clientWidth / zoomOf() < SMALLEST * still;
};
const near = new IntersectionObserver((entries) => {
  for (const {target, isIntersecting} of entries) {
    const chart = charts.get(target.dataset.chart);
    chart.near = isIntersecting;
    if (isIntersecting && unfit(chart)) redraw(chart);
  }
}, {rootMargin: "600px"});
let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => {
    for (const chart of charts.values()) if (chart.near && unfit(chart)) redraw(chart);
  }, 150);
});
for (const figure of document.querySelectorAll("figure")) {
  const chart = {figure, name: figure.dataset.chart, picture: figure.querySelector(".picture"), turn: 0, width: null};
  charts.set(chart.name, chart);
  const controls = figure.querySelector(".controls");
  controls.hidden = !controls.children.length;
  controls.addEventListener("change", (event) => {
    if (event.target.type === "radio") redraw(chart);
  });
  for (const kind of ["pointerenter", "focusin"]) figure.addEventListener(kind, () => wake(chart));
  near.observe(figure);
}
