// A module, which may wait for what is unpacked. The still pictures stay where it fails.
const inside = (node, selector) => node.querySelector(selector);
const read = node => JSON.parse(node.textContent);
const short = value => Number(value.toPrecision(4)).toString();
const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches;

const bytes = text => Uint8Array.from(atob(text), character => character.charCodeAt(0));
/** JSON that travels deflated, in base64. */
const unpack = async id => {
  const packed = new Blob([bytes(document.getElementById(id).textContent)]).stream();
  return new Response(packed.pipeThrough(new DecompressionStream("deflate"))).json();
};

// Charts -----------------------------------------------------------------------------------------

const [datasets, packed] = await Promise.all(["datasets", "packed"].map(unpack));
const charts = new Map();

/** The specification of a chart as its controls stand, with the rows it is drawn from. */
const asked = chart => {
  const values = [...chart.figure.querySelectorAll("input[type=radio]:checked")].map(i => i.value);
  const keys = Object.keys(chart.specs);
  // An option that leaves one choice has no control.
  const key = keys.find(key => values.every(value => key.split("-").includes(value))) ?? keys[0];
  const spec = structuredClone(chart.specs[key]);
  spec.datasets = datasets;
  return spec;
};

/** As wide as the page has room for; where the page's text is larger, so is the chart's. */
const fit = (spec, figure, zoom) => {
  const room = figure.clientWidth / zoom;
  if (spec.concat) {
    spec.columns = Math.min(4, Math.max(1, Math.floor(room / 160)));
    for (const panel of spec.concat) {
      panel.width = Math.floor(room / spec.columns) - 58;
      panel.title.limit = panel.width + 40;
    }
  } else if (figure.dataset.chart === "clocks") {
    spec.width = Math.max(430, Math.min(spec.width, room - 24)); // labels on both sides
  } else {
    spec.width = Math.max(160, room - Number(figure.dataset.beside));
  }
};

const draw = async chart => {
  const {figure} = chart;
  const turn = ++chart.turn;
  const zoom = Math.max(1, parseFloat(getComputedStyle(document.documentElement).fontSize) / 16);
  const spec = asked(chart);
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
  const svg = inside(fresh, "svg");
  for (const side of ["width", "height"]) svg.setAttribute(side, svg.getAttribute(side) * zoom);
  chart.view?.finalize();
  chart.view = view;
  const picture = inside(figure, ".picture");
  picture.classList.remove("still");
  picture.replaceChildren(fresh);
};

// One after the other and only near the window, so that the page answers meanwhile.
let queue = Promise.resolve();
const later = work => {
  queue = queue.then(() => new Promise(done => setTimeout(done))).then(work);
};
const near = new IntersectionObserver(entries => {
  for (const {target, isIntersecting} of entries) {
    const chart = charts.get(target.dataset.chart);
    chart.near = isIntersecting;
    if (isIntersecting && chart.width !== target.clientWidth) redraw(chart);
  }
}, {rootMargin: "600px"});
const redraw = chart => {
  chart.width = chart.figure.clientWidth;
  later(() => draw(chart));
};
let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => {
    for (const chart of charts.values()) {
      if (chart.near && chart.width !== chart.figure.clientWidth) redraw(chart);
    }
  }, 150);
});
for (const figure of document.querySelectorAll("figure")) {
  const chart = {figure, specs: read(inside(figure, "script")), turn: 0};
  charts.set(figure.dataset.chart, chart);
  const controls = inside(figure, ".controls");
  controls.hidden = !controls.children.length;
  controls.addEventListener("change", event => {
    if (event.target.type === "radio") redraw(chart);
  });
  near.observe(figure);
}

// The target -------------------------------------------------------------------------------------

const slider = document.getElementById("target");
if (slider) {
  const chart = charts.get("reached");
  const [easy, hard, first] = ["easy", "hard", "target"].map(key => Number(slider.dataset[key]));
  const rising = slider.dataset.rising === "1";
  const log = easy > 0 && hard > 0 && !rising;
  const ends = log ? [Math.log(easy), Math.log(hard)] : [easy, hard];
  const most = Number(slider.max);
  let target = first;

  const value = place => {
    const at = ends[0] + (ends[1] - ends[0]) * place / most;
    return log ? Math.exp(at) : at;
  };
  const place = target => Math.round(
    most * ((log ? Math.log(target) : target) - ends[0]) / (ends[1] - ends[0] || 1));
  const isAt = value => rising ? value >= target : value <= target;
  const median = times => {
    const ordered = times.toSorted((a, b) => a - b);
    const half = ordered.length >> 1;
    return ordered.length % 2 ? ordered[half] : (ordered[half - 1] + ordered[half]) / 2;
  };

  /** Steps of each run to the target, from the rows that the first way of the chart draws. */
  const arrivals = () => {
    const spec = Object.values(chart.specs)[0];
    const found = new Map();
    for (const row of datasets[spec.layer[1].data?.name ?? spec.data.name]) {
      if (row.run < 0) continue; // where a rule's line begins and ends
      const there = row.value.findIndex(isAt);
      if (!found.has(row.rule)) found.set(row.rule, []);
      found.get(row.rule).push(there < 0 ? Infinity : row.at[there]);
    }
    return found;
  };
  const tell = () => {
    const said = short(target);
    inside(chart.figure, "output").textContent = said;
    slider.setAttribute("aria-valuetext", said);
    const found = arrivals();
    for (const row of document.querySelectorAll("#shares tbody tr")) {
      const times = found.get(row.dataset.rule) ?? [];
      const half = median(times);
      row.cells[1].textContent = `${times.filter(Number.isFinite).length} of ${times.length}`;
      row.cells[2].textContent = Number.isFinite(half) ? half : "∞";
    }
    chart.view?.signal("target", target).runAsync();
  };
  const set = wanted => {
    target = wanted;
    tell();
  };
  chart.change = spec => {
    spec.params.find(param => param.name === "target").value = target;
  };
  if (Number.isFinite(first)) slider.value = place(first);
  slider.addEventListener("input", () => set(value(Number(slider.value))));
  document.getElementById("target-back").addEventListener("click", () => {
    if (Number.isFinite(first)) slider.value = place(first);
    set(first);
  });
}

// All runs ---------------------------------------------------------------------------------------

const decoded = link => new TextDecoder().decode(bytes(link.href.slice(link.href.indexOf(",") + 1)));

/** Rows of a CSV file; quotes as RFC 4180 has them. */
const parsed = text => {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "\n") rows.push([]);
    if (end === "") break;
  }
  return rows.filter(row => row.length > 1);
};

const table = document.getElementById("every");
const [names, ...cells] = parsed(decoded(document.getElementById("runs-csv")));
const every = cells.map((row, number) => ({number, row, text: row.join(" ").toLowerCase()}));
const PAGE = 50;
const state = {column: null, down: false, shown: PAGE, drawn: null};
const words = name => name.replaceAll("_", " ");
const numeric = names.map((_, i) => cells.every(row => row[i] === "" || row[i] === "inf" || !isNaN(row[i])));
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
const show = () => {
  const wanted = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = every.filter(run => wanted.every(word => run.text.includes(word)));
  if (state.column !== null) found.sort(compare);
  const lines = found.slice(0, state.shown).map(run => {
    const line = make("tr", "");
    run.row.forEach((text, i) => {
      line.append(make(i ? "td" : "th", said(text, i), i ? {} : {scope: "row"}));
      if (!numeric[i]) line.lastChild.classList.add("text");
    });
    const button = make("button", "draw", {type: "button", "aria-pressed": run.number === state.drawn});
    button.setAttribute("aria-label", `Draw ${run.row[0]}, seed ${run.row[names.indexOf("seed")]}`);
    if (packed.points[run.number]) button.addEventListener("click", () => focus(run, button));
    else button.disabled = true;
    line.cells[0].prepend(button);
    return line;
  });
  table.tBodies[0].replaceChildren(...lines);
  inside(document, ".filter output").textContent =
    `${found.length} of ${every.length} runs` + (lines.length < found.length ? `, ${lines.length} shown` : "");
  document.getElementById("more").hidden = lines.length >= found.length;
};
const headings = () => {
  const row = make("tr", "");
  names.forEach((name, i) => {
    const heading = make("th", "", {scope: "col"});
    if (!numeric[i]) heading.classList.add("text");
    if (i === state.column) heading.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    const button = make("button", words(name), {type: "button", class: "sort"});
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

// One run over the median of its rule ------------------------------------------------------------

const points = run => {
  const at = packed.points.slice(0, run).reduce((sum, n) => sum + n, 0);
  const numbers = new Uint16Array(bytes(packed.data).buffer, 4 * at, 2 * packed.points[run]);
  const found = [];
  for (let i = 0; i < numbers.length; i += 2) {
    const value = packed.low + (packed.high - packed.low) * numbers[i + 1] / 65535;
    found.push({at: numbers[i] * packed.stride, loss: packed.log ? Math.exp(value) : value});
  }
  return found;
};
const focus = (run, button) => {
  const chart = charts.get("training");
  const off = state.drawn === run.number;
  state.drawn = off ? null : run.number;
  for (const other of table.querySelectorAll("[aria-pressed=true]")) other.setAttribute("aria-pressed", false);
  button.setAttribute("aria-pressed", !off);
  const rule = run.row[0];
  chart.change = off ? undefined : spec => {
    const panel = spec.concat[chart.order.indexOf(rule)];
    const {encoding, mark} = structuredClone(panel.layer.at(-1));
    panel.layer.push({data: {values: points(run.number)}, encoding,
      mark: {...mark, color: "var(--ink)", strokeWidth: 1, opacity: 1}});
  };
  document.getElementById("drawn").textContent = off ? "" :
    `Drawn above in ink, in the panel of ${rule}: learning rate ${said(run.row[1], 1)}, ` +
    `${run.row[names.indexOf("stage")]} seed ${run.row[names.indexOf("seed")]}`;
  if (!off) chart.figure.scrollIntoView({block: "nearest", behavior: quiet ? "auto" : "smooth"});
  redraw(chart);
};
charts.get("training").order = [...document.querySelectorAll("#standings tr[data-rule]")].map(row => row.dataset.rule);
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

// Copying ----------------------------------------------------------------------------------------

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.previousElementSibling;
    getSelection().selectAllChildren(code);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      document.execCommand("copy"); // where a file may not use the clipboard
    }
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  });
}
